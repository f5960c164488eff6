"""Which sweep a word on the command line names: a class of sweeps/, or the folder of one that has no name."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, cast

from cn import UserError, command, compose, discover
from cn.errors import lines
from cn.record import plain, unplain
from sweeps import Goal, Sweep
from sweeps._store import Store, write

OUTPUTS = Path("outputs") / "sweeps"
FILE = "sweep.json"


class Named(NamedTuple):
    """A sweep, and where it lies."""

    name: str  # as it was asked for, for messages
    store: Store
    goal: Goal
    sweep: Sweep | None  # None: all that is known is in the folder


def find(name: str, overrides: Sequence[str] = ()) -> Named:
    """The sweep of that name, composed with the overrides; or the one whose folder that is.

    Raises UserError where there is neither.
    """
    folder = Path(name)
    if (folder / FILE).is_file():
        if overrides:
            raise UserError(lines(f"{overrides[0]}: {name} is a folder, and only a sweep's class takes overrides"))
        return _recorded(name, folder)
    try:
        kind = cast("type[Sweep]", discover.find((Sweep,), name))
    except discover.NoOptionError as error:
        here = f"a folder is one if it holds {FILE}" if folder.is_dir() else None
        raise UserError(lines(*str(error).split("\n  "), here, "see: python -m sweeps")) from None
    command.script = f"-m sweeps plan {name}"  # whose --help shows the fields
    sweep = compose(kind, overrides)
    elsewhere = [each for each in overrides if each.startswith("folder=")]
    return Named(shlex.join([name, *elsewhere]), Store(sweep.folder or OUTPUTS / name), sweep.goal, sweep)


def describe(store: Store, goal: Goal, sweep: Sweep | None) -> None:
    """Write down, in the sweep's folder, what it is."""
    with store.written():
        write(store.folder / FILE, json.dumps({"goal": plain(goal), "sweep": sweep and plain(sweep)}, indent=1) + "\n")


def _recorded(name: str, folder: Path) -> Named:
    try:
        goal = unplain(json.loads((folder / FILE).read_text())["goal"], f"{folder / FILE}")
        assert isinstance(goal, Goal)
    except (ValueError, KeyError, AssertionError, OSError) as error:
        raise UserError(lines(f"{folder / FILE} cannot be read", f"{type(error).__name__}: {error}")) from None
    return Named(name, Store(folder), goal, None)
