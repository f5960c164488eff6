"""The points of other searches that a search is told before its own: `search.start=[other_sweep]`."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from cn import program
from cn.errors import UserError, short
from cn.run_folder.state_files import DamagedError
from cn.sweeping.folder.points import Points
from cn.sweeping.folder.store import Store
from cn.sweeping.goal import Goal
from cn.sweeping.job.ends import Ends
from cn.sweeping.planning.named import FILE, Named, find, goal_in
from cn.sweeping.project import verbs
from cn.sweeping.search.past import Past, PointState
from cn.sweeping.search_space import Space


class Start(NamedTuple):
    """What is told of other searches."""

    points: list[Past]
    said: list[str]  # for each of them, how many points are told, and why others are not


def start_of(named: Named) -> Start:
    """Return the points that a search is told first. UserError for a sweep with another goal, or none of whose fit."""
    assert named.sweep is not None
    assert named.sweep.search is not None
    assert isinstance(named.sweep.axes, Space)
    found = Start([], [])
    for name in named.sweep.search.start:
        before = program.script
        other = find(name)
        program.script = before
        if other.store.folder.resolve() == named.store.folder.resolve():
            raise UserError(f"search.start={name} is this sweep, whose own points are told anyway", "leave it out")
        if not other.store.labels():
            raise UserError(f"nothing of search.start={name} was submitted", f"write: {other.command('submit')}")
        _refuse_other_goal(name, other.store, named.goal)
        _add(found, name, other.store, named.goal, named.sweep.axes)
    return found


def _refuse_other_goal(name: str, store: Store, goal: Goal) -> None:
    try:
        theirs = goal_in(store.folder / FILE)
    except DamagedError as why:
        raise UserError(f"search.start={name} cannot be told: {why}", f"to mend it: {verbs()} retry {name}") from None
    if theirs.each() != goal.each():  # limits are looked up in the summaries
        what = f"search.start={name} has another goal: {theirs.described()}, and here it is {goal.described()}"
        raise UserError(what, "leave it out, or give both the same goal")


def _add(found: Start, name: str, store: Store, goal: Goal, space: Space) -> None:
    """Add the points of one search that have a value and fit the space."""
    points, ends = Points(store), Ends(store, goal)
    ends.owners = points.owners()
    told: list[Past] = []
    unfit: list[str] = []
    without = 0
    every = points.every()
    for each in every:
        past = ends.past(each.values, each.trials)
        if past.state not in (PointState.DONE, PointState.PRUNED):
            without += 1
        elif (why := space.refusal(past.values)) is not None:
            unfit.append(why)
        else:
            told.append(past)
    reasons = [f"{len(unfit)} do not fit the space: {short(unfit[0])}"] if unfit else []
    reasons += [f"{without} have no value"] if without else []
    left = "; ".join(reasons)
    if not told:
        what = f"no point of search.start={name} can be told: {left or 'it is no search, or has asked none yet'}"
        raise UserError(what, "leave it out")
    found.points.extend(dataclasses.replace(each, attributes={}) for each in told)
    found.said.append(f"{len(told)} of {len(every)} points of {name} are told first" + (f"; {left}" if left else ""))
