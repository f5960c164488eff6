"""Find the sweep that a word on the command line names: a class of sweeps/, or the folder of a sweep."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from cn import program
from cn.composing.compose import compose
from cn.discovery import discover, registry
from cn.discovery.source import where
from cn.errors import CNError, UserError
from cn.lazy import needs
from cn.nodes.former import former_classes
from cn.nodes.to_json import plain
from cn.paths import at_home, typed
from cn.run_folder.state_files import DamagedError, read
from cn.run_folder.where import names
from cn.sweeping.axes import address
from cn.sweeping.folder.points import Points
from cn.sweeping.folder.store import Store, write
from cn.sweeping.goal import Goal, maximize, of_run
from cn.sweeping.project import contract, script, verbs
from cn.sweeping.search_space import Space
from cn.sweeping.sweep import Sweep
from cn.writing.record import unplain

if TYPE_CHECKING:
    from cn.sweeping.planning.plan import Planned

OUTPUTS = Path("outputs") / "sweeps"
FILE = "sweep.json"


class Named(NamedTuple):
    """A sweep and its folder."""

    name: str  # as typed, with its folder, for messages
    store: Store
    goal: Goal
    sweep: Sweep | None  # None: only the folder is known
    overrides: tuple[str, ...] = ()  # without folder=...
    damaged: tuple[DamagedError, ...] = ()  # a damaged sweep.json
    guessed: bool = False  # whether the goal is unknown because no file records it

    def command(self, verb: str) -> str:
        """Return the command to type; `retry` uses the overrides of the last submission if none are given now."""
        words = self.overrides if verb in ("submit", "retry") else ()
        if verb == "retry" and not words and self.sweep is not None:
            words = next((head.overrides for head in reversed(self.store.heads().values())), ())
        return " ".join([verbs(), verb, self.name, *map(shlex.quote, words)])

    def planned(self) -> list[Planned]:
        """Return the planned trials, of a search those that were asked; UserError if the sweep has no class."""
        if self.sweep is None:
            what = f"{self.name} is the folder of a sweep that has no class, so there is nothing to plan"
            raise UserError(what, f"to run again what failed: {self.command('retry')}")
        from cn.sweeping.planning.plan import Planned, plan  # only here, since a status needs none of it

        if self.sweep.search is not None:  # what it will ask is not known yet
            trials = {trial.id: trial for each in Points(self.store).every() for trial in each.trials}
            return [Planned(each, self.sweep.launch) for each in trials.values()]
        points = len(self.sweep.axes.points)
        if points < 2000 or not sys.stderr.isatty():
            return plan(self.sweep)
        needs("the progress bar of a long plan", "rich")
        from rich.console import Console
        from rich.progress import Progress

        with Progress(transient=True, console=Console(stderr=True)) as bar:
            task = bar.add_task("plan", total=points)
            return plan(self.sweep, lambda done, count: None if done % 200 else bar.update(task, completed=done))

    def never(self) -> UserError:
        write = f"write: {self.command('submit')}" if self.sweep is not None else None
        return UserError(f"nothing of {self.name} was submitted", write)


def find(name: str, overrides: Sequence[str] = ()) -> Named:
    """Return the sweep of that name, composed with the overrides, or the sweep in that folder.

    Raises UserError if neither exists.
    """
    folder = typed(name)
    if _holds_sweep(folder):
        if overrides:
            raise UserError(f"{overrides[0]}: {name} is a folder, and only a sweep's class takes overrides")
        return _recorded(name, folder)
    try:
        kind = cast("type[Sweep]", discover.find((contract(),), name))
    except discover.NoOptionError as error:
        here = f"a folder is one if it holds {FILE}" if folder.is_dir() else None
        if _holds_sweep(left := OUTPUTS / name):
            here = f"its trials are in {left}: {verbs()} status {shlex.quote(str(left))}"
        raise UserError(*str(error).split("\n  "), here, f"see: {verbs()}") from None
    program.script = f"{script()} plan {name}"  # its --help shows the fields
    sweep = compose(kind, overrides)
    _refuse_without_effect(sweep, overrides)
    goal = sweep.goal or of_run(sweep.base)
    _refuse_other_way(goal, overrides)
    elsewhere = [each for each in overrides if each.startswith("folder=")]
    others = tuple(each for each in overrides if each not in elsewhere)
    return Named(
        shlex.join([name, *elsewhere]), Store(at_home(sweep.folder or _folder(kind, name))), goal, sweep, others
    )


def _holds_sweep(folder: Path) -> bool:
    """Return whether a folder is that of a sweep."""
    return os.path.lexists(folder / FILE) or bool(Store(folder).labels())


def _folder(kind: type[Sweep], name: str) -> Path:
    """Return the folder of a sweep: that of an old name in `_was_`, if it has none under its own yet."""
    own = OUTPUTS / name
    olds = [] if os.path.lexists(own) else [each.split(":") for each in former_classes(kind)]
    for old in [registry.path_of(module, cls, registry.home(kind)) for module, cls in olds]:
        if _holds_sweep(OUTPUTS / old) and not _is_named(old):
            return OUTPUTS / old
    return own


def _is_named(name: str) -> bool:
    """Return whether a class of sweeps/ has that name, and so its folder."""
    try:
        discover.find((contract(),), name)
    except discover.NoOptionError:
        return False
    return True


def _refuse_without_effect(sweep: Sweep, overrides: Sequence[str]) -> None:
    """Raise UserError for an override of the base's launch, or of a field that the axes set in every trial."""
    points = [] if isinstance(sweep.axes, Space) else sweep.axes.points
    always = set[str](points[0]).intersection(*points) if points else set[str]()
    axes = {f"base.{address(key)}": key for key in always}
    for each in overrides:
        key, _, value = each.lstrip("+~").partition("=")
        if re.match(r"base\.launch(\.|$)", address(key)) and "launch" in names(type(sweep.base)):
            what = f"{each} has no effect: the launch of the sweep says where its trials run"
            raise UserError(what, f"write: {program.said(key[len('base.') :], value)}")
        if (axis := axes.get(address(key))) is not None:
            what = f"{each} has no effect: the axis {axis} sets it in every trial"
            raise UserError(what, where(type(sweep), "axes"), "leave it out, or change the axis")


def _refuse_other_way(goal: Goal, overrides: Sequence[str]) -> None:
    """Raise UserError for another metric of which the other direction is better, if the words leave the direction."""
    metric = next((each for each in overrides if each.startswith("goal.metric=")), None)
    if metric is None or goal.other_way is None or any(each.startswith("goal.direction=") for each in overrides):
        return
    what = f"{metric}: {'less' if goal.other_way == 'minimize' else 'more'} of it is better, and the goal is to"
    write = f"write: {program.quoted(metric)} goal.direction={goal.other_way}"
    raise UserError(f"{what} {goal.direction} it", write, f"if that is meant: goal.direction={goal.direction}")


def describe(store: Store, goal: Goal, sweep: Sweep | None) -> None:
    """Record the sweep in its folder."""
    with store.written():
        write(store.folder / FILE, json.dumps({"goal": plain(goal), "sweep": sweep and plain(sweep)}, indent=1) + "\n")


def _recorded(name: str, folder: Path) -> Named:
    """Return the sweep in a folder; if sweep.json is damaged, the goal comes from a batch."""
    store, path = Store(folder), folder / FILE
    try:
        return Named(shlex.quote(name), store, goal_in(path), None)
    except DamagedError as why:
        heads = reversed(store.heads().values())
        told = next((head.goal for head in heads if head.goal is not None), None)
        goal = maximize("score") if told is None else _goal(told, path)
        return Named(shlex.quote(name), store, goal, None, damaged=(why,), guessed=told is None)


def goal_in(path: Path) -> Goal:
    """Return the goal in a sweep.json. Raises DamagedError."""
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
