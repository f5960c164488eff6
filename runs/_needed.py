"""Packages that a plain installation lacks, told before anything is loaded; each comes with an extra of this one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec

from cn import CN, UserError
from cn.errors import lines
from cn.node import values
from models import Model
from runs import Run


def need(run: Run) -> None:
    """UserError for the first model or logger of a run whose packages are not installed; a test needs no logger."""
    for address, model in [*_models("", run), *_models("task.", run.task)]:
        refuse_absent(address, model.packages(), extra="hub")
    loggers = run.logger if run.mode == "train" else {}
    for name, logger in loggers.items():
        refuse_absent(f"logger.{name}", logger.packages(), extra="track")


def refuse_absent(what: str, packages: Iterable[str], *, extra: str) -> None:
    """UserError where some of these packages, which an extra brings, are not installed."""
    absent = [package for package in packages if not _is_there(package)]
    if absent:
        verb = "is" if len(absent) == 1 else "are"
        told = f"{what}: {' and '.join(absent)} {verb} not installed"
        raise UserError(lines(told, f"pip install -c constraints.txt -e '.[{extra}]'"))


def _models(above: str, node: CN) -> Iterator[tuple[str, Model]]:
    for name, each in values(node).items():
        if isinstance(each, Model):
            yield f"{above}{name}", each


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # of a.b there is no a
        return False
