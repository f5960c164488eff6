"""Which sweep a word on the command line names: a class of sweeps/, or the folder of one that has no name."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from cn import CNError, UserError, command, compose, discover
from cn.errors import lines
from cn.paths import typed
from cn.record import plain, unplain
from runs._state_files import DamagedError, read
from sweeps import Goal, Sweep, maximize
from sweeps._goal import of_task
from sweeps._plan import Planned, plan
from sweeps._store import Store, write

OUTPUTS = Path("outputs") / "sweeps"
FILE = "sweep.json"


class Named(NamedTuple):
    """A sweep, and where it lies."""

    name: str  # as it was asked for, with its folder, for messages
    store: Store
    goal: Goal
    sweep: Sweep | None  # None: all that is known is in the folder
    overrides: tuple[str, ...] = ()  # but for its folder
    damaged: tuple[DamagedError, ...] = ()  # its sweep.json
    guessed: bool = False  # whether the goal is not known, as nothing says it any more

    def command(self, verb: str) -> str:
        """As it is to be typed; `retry` with the overrides of the last submission, where none are given now."""
        words = self.overrides if verb in ("submit", "retry") else ()
        if verb == "retry" and not words and self.sweep is not None:
            words = next((head.overrides for head in reversed(self.store.heads().values())), ())
        return " ".join(["python -m sweeps", verb, self.name, *map(shlex.quote, words)])

    def planned(self) -> list[Planned]:
        """Its trials; UserError where there is no class that tells them."""
        if self.sweep is None:
            what = f"{self.name} is the folder of a sweep that has no class, so there is nothing to plan"
            raise UserError(lines(what, f"to run again what failed: {self.command('retry')}"))
        points = len(self.sweep.axes.points)
        if points < 2000 or not sys.stderr.isatty():
            return plan(self.sweep)
        from rich.console import Console
        from rich.progress import Progress

        with Progress(transient=True, console=Console(stderr=True)) as bar:
            task = bar.add_task("plan", total=points)
            return plan(self.sweep, lambda done, count: None if done % 200 else bar.update(task, completed=done))

    def never(self) -> UserError:
        write = f"write: {self.command('submit')}" if self.sweep is not None else None
        return UserError(lines(f"nothing of {self.name} was submitted", write))


def find(name: str, overrides: Sequence[str] = ()) -> Named:
    """The sweep of that name, composed with the overrides; or the one whose folder that is.

    Raises UserError where there is neither.
    """
    folder = typed(name)
    if os.path.lexists(folder / FILE) or Store(folder).labels():
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
    goal = sweep.goal or of_task(sweep.base)
    elsewhere = [each for each in overrides if each.startswith("folder=")]
    others = tuple(each for each in overrides if each not in elsewhere)
    return Named(shlex.join([name, *elsewhere]), Store(sweep.folder or OUTPUTS / name), goal, sweep, others)


def describe(store: Store, goal: Goal, sweep: Sweep | None) -> None:
    """Write down, in the sweep's folder, what it is."""
    with store.written():
        write(store.folder / FILE, json.dumps({"goal": plain(goal), "sweep": sweep and plain(sweep)}, indent=1) + "\n")


def _recorded(name: str, folder: Path) -> Named:
    """The sweep that lies in a folder; where its file is damaged, its batches say the goal too."""
    store, path = Store(folder), folder / FILE
    try:
        return Named(shlex.quote(name), store, goal_in(path), None)
    except DamagedError as why:
        heads = reversed(store.heads().values())
        told = next((head.goal for head in heads if head.goal is not None), None)
        goal = maximize("score") if told is None else _goal(told, path)
        return Named(shlex.quote(name), store, goal, None, damaged=(why,), guessed=told is None)


def goal_in(path: Path) -> Goal:
    """The goal that a sweep.json says. Raises DamagedError."""
    told = read(path)
    if not isinstance(told, dict):
        raise DamagedError(path, "it is not there" if told is None else "it holds no object")
    return _goal(cast("dict[str, Any]", told).get("goal"), path)


def _goal(told: Any, path: Path) -> Goal:
    try:
        goal = unplain(told, str(path)) if isinstance(told, dict) else None
    except CNError as error:
        raise DamagedError(path, f"its goal cannot be made: {str(error).partition(chr(10))[0]}") from None
    if not isinstance(goal, Goal):
        raise DamagedError(path, "it holds no goal")
    return goal
