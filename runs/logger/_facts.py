"""Facts about a run for loggers, besides its metrics, from the run's folder."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from cn.run_folder.flat import flat
from cn.run_folder.progress import goal
from cn.run_folder.where import names_in, says_where

CODE = Path(__file__).resolve().parents[2]
Value = bool | int | float | str


@dataclass(frozen=True)
class Facts:
    """The request and the configuration of a run."""

    name: str  # of the run's folder
    values: dict[str, Value]  # fields outside of `_where_` by address, `optim.lr`; a node's class by the node's
    parameters: int  # number of trainable parameters
    command: str  # that started the run
    code: str  # git commit, and whether files differ from it
    goal: tuple[str, str]  # the goal's metric in validations, and in the test


def facts(folder: Path) -> Facts:
    """Return the facts of the run in a folder, after its parts are built."""
    config = cast("dict[str, Any]", json.loads((folder / "config.json").read_text()))
    summary = cast("dict[str, Any]", json.loads((folder / "summary.json").read_text()))
    own, where = goal(summary), names_in(config)
    return Facts(
        name=folder.resolve().name,
        values={name: value for name, value in values(config).items() if not says_where(name, where)},
        parameters=summary["parameters"],
        command=(folder / "command.txt").read_text().strip(),
        code=code(CODE),
        goal=(own.name, own.test),
    )


def values(record: dict[str, Any]) -> dict[str, Value]:
    """Return each field of a record by its address; lists, dicts and null as JSON."""
    return {name: value if isinstance(value, Value) else json.dumps(value) for name, value in flat(record)}


def code(folder: Path) -> str:
    """Return the git commit of a folder, with `changed` if files differ from it; without git a snapshot's name."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None or not _git(folder, "ls-files", "train.py"):  # a sweep's snapshot lies inside a repository
        return f"{folder.name}, which is not in git"
    return f"{commit}, changed" if _git(folder, "status", "--porcelain") else commit


def _git(folder: Path, *words: str) -> str | None:
    try:
        asked = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return None if asked.returncode else asked.stdout.strip()
