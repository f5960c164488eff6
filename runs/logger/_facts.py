"""What a logger should know of a run besides its metrics, all of it from the run's folder."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from runs._flat import flat
from runs._progress import goal

CODE = Path(__file__).resolve().parents[2]
Value = bool | int | float | str


@dataclass(frozen=True)
class Facts:
    """How the run was asked for, and what with."""

    name: str  # of the run's folder
    values: dict[str, Value]  # each field under its address, `optim.lr`; a node under its own, as its class
    parameters: int  # of the model: how many numbers are trained
    command: str  # that asked for the run
    code: str  # the commit, and whether files differ from it
    goal: tuple[str, str]  # the metric of validations by which one is the best, and the same of the test


def facts(folder: Path) -> Facts:
    """The facts of the run in a folder, once its parts are built."""
    config = cast("dict[str, Any]", json.loads((folder / "config.json").read_text()))
    summary = cast("dict[str, Any]", json.loads((folder / "summary.json").read_text()))
    own = goal(summary)
    return Facts(
        name=folder.resolve().name,
        values={name: value for name, value in values(config).items() if name not in ("folder", "mode")},
        parameters=summary["parameters"],
        command=(folder / "command.txt").read_text().strip(),
        code=code(CODE),
        goal=(own.metric, own.test),
    )


def values(record: dict[str, Any]) -> dict[str, Value]:
    """Each field of a record by its address; lists, dicts and null as JSON."""
    return {name: value if isinstance(value, Value) else json.dumps(value) for name, value in flat(record)}


def code(folder: Path) -> str:
    """The commit of the code in a folder, with `changed` where files differ from it; a snapshot's name without git."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None or not _git(folder, "ls-files", "train.py"):  # a sweep's snapshot lies within a repository
        return f"{folder.name}, which is not in git"
    return f"{commit}, changed" if _git(folder, "status", "--porcelain") else commit


def _git(folder: Path, *words: str) -> str | None:
    try:
        asked = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return None if asked.returncode else asked.stdout.strip()
