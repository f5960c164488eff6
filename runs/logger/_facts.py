"""What a logger should know of a run besides its metrics, all of it from the run's folder."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from cn.record import CLASS, DERIVED

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


def facts(folder: Path) -> Facts:
    """The facts of the run in a folder, once its parts are built."""
    config = cast("dict[str, Any]", json.loads((folder / "config.json").read_text()))
    summary = cast("dict[str, Any]", json.loads((folder / "summary.json").read_text()))
    return Facts(
        name=folder.resolve().name,
        values={address: value for address, value in flat(config) if address not in ("folder", "mode")},
        parameters=summary["parameters"],
        command=(folder / "command.txt").read_text().strip(),
        code=code(CODE),
    )


def flat(record: dict[str, Any], place: str = "") -> Iterator[tuple[str, Value]]:
    """Address and value of each field in a record of `cn.record.plain`; lists, dicts and null as JSON."""
    for name, value in record.items():
        address = f"{place}.{name}".lstrip(".")
        if name == CLASS:
            yield place or "run", value
        elif name == DERIVED:
            continue
        elif _holds_nodes(value):
            yield from flat(value, address)
        else:
            yield address, value if isinstance(value, Value) else json.dumps(value)


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


def _holds_nodes(value: Any) -> bool:
    """A node, or several by name."""
    if not isinstance(value, dict):
        return False
    return CLASS in value or any(isinstance(each, dict) and CLASS in each for each in cast("Any", value).values())
