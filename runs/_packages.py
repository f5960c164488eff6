"""Checks for packages that a plain installation lacks, before anything is imported; an extra installs each."""

from __future__ import annotations

from collections.abc import Iterable

from cn.lazy import needs
from cn.nodes.traversal import walk
from data import Data
from data.tokenizer import Tokenizer
from models import Model
from runs import Run
from runs.logger import Logger


def need(run: Run) -> None:
    """Raise UserError for the first part of a run whose packages are missing; a test needs no logger."""
    for address, node in walk(run):
        if isinstance(node, (Data, Model)):
            refuse_absent(address, node.packages(), extra="hub")
        elif isinstance(node, Tokenizer):
            refuse_absent(address, node.packages(), extra="text")
        elif isinstance(node, Logger) and run.mode == "train":
            refuse_absent(address, node.packages(), extra="track")


def refuse_absent(what: str, packages: Iterable[str], *, extra: str) -> None:
    """Raise UserError if some of these packages, which an extra of this repository installs, are missing."""
    needs(what, *packages, install=f"-c constraints.txt -e '.[{extra}]'")
