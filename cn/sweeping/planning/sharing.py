"""Trials that share their past: what several have in common up to a step is computed by one of them.

Trials are compared in groups that differ in the fields of length alone. In a group, the trial that is first at a step
computes it, and each other one goes on from there. The trials of a group form a tree, whose root begins at step 0.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from cn.errors import CNError
from cn.nodes.node import CN
from cn.nodes.to_json import CLASS, DERIVED
from cn.run_folder.where import names
from cn.sweeping.course import Course, course_of, fields_of_length
from cn.sweeping.folder.batches import Trial
from cn.sweeping.folder.queues import launch_of
from cn.sweeping.folder.standing import Sweeping
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.planning.plan import Planned
from cn.sweeping.planning.variants import ENCODE
from cn.writing.record import unplain


@dataclass(frozen=True)
class Compared:
    """A trial, with what decides whether it shares its past."""

    planned: Planned
    course: Course
    group: str  # equal for trials that differ in the fields of length alone
    done: bool = False

    @property
    def trial(self) -> Trial:
        return self.planned.trial

    @property
    def steps(self) -> int:
        return len(self.course.rates)


@dataclass(frozen=True)
class Shared:
    """A plan whose trials go on from one another."""

    planned: list[Planned]
    steps: int = 0  # of all trials
    saved: int = 0  # of these, steps that another trial has computed

    def described(self) -> str | None:
        """Return what is saved, or None."""
        return f"{self.saved} of {self.steps} steps are shared, and trained once" if self.saved else None


def share(planned: Sequence[Planned], found: Sweeping, code: str) -> Shared:
    """Return the trials, each with the trial from which it goes on, and the steps at which others go on from it.

    A trial may also go on from one of `found` that is done, if that ran the same code.
    """
    done = [
        each
        for each in found.trials.values()
        if each.state == TrialStatus.DONE and each.code == code and each.trial.config and each.label in found.batches
    ]
    if not planned or not _vary_length([each.trial.config for each in (*planned, *done)]):
        return Shared(list(planned))
    groups: dict[str, list[Compared]] = defaultdict(list)
    old = [Planned(each.trial, launch_of(found.batches[each.label])) for each in done]
    for each, is_done in [*((each, False) for each in planned), *((each, True) for each in old)]:
        if isinstance(compared := compare(each, done=is_done), Compared):
            groups[compared.group].append(compared)
    pasts: dict[str, tuple[Trial, int]] = {}
    for group in groups.values():
        for launch in {id(each.planned.launch): each.planned.launch for each in group if not each.done}.values():
            pasts |= _tree([each for each in group if not each.done and each.planned.launch == launch])
        _go_on(pasts, group)
    pasts = {name: (donor, step) for name, (donor, step) in pasts.items() if pasts.get(donor.id, (donor, 0))[1] <= step}
    branches: dict[str, set[int]] = defaultdict(set)
    for donor, step in pasts.values():
        branches[donor.id].add(step)
    new = [each for group in groups.values() for each in group if not each.done]
    return Shared(
        [dataclasses.replace(each, trial=_joined(each.trial, pasts, branches)) for each in planned],
        steps=sum(each.steps for each in new),
        saved=sum(step for _, step in pasts.values()),
    )


def compare(planned: Planned, *, done: bool = False) -> Compared | str:
    """Return what a trial is compared by; or why it shares nothing."""
    config = planned.trial.config
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = cast("CN", unplain(config))
        course = course_of(run)
    except CNError as error:
        return str(error).partition("\n")[0]
    if isinstance(course, str):
        return course
    queue = planned.launch.build()
    record = fixed(run, config, course, queue.processes * queue.nodes)
    return Compared(planned, course, ENCODE(record), done)


def fixed(run: CN, config: dict[str, Any], course: Course, processes: int) -> dict[str, Any]:
    """Return what must be equal in trials that share their past: the record without the fields of length."""
    of_length = fields_of_length(type(run))
    left_out = {*of_length, *names(type(run)), DERIVED}
    derived = [name for name in config.get(DERIVED, []) if name not in of_length]
    kept = {name: value for name, value in config.items() if name not in left_out}
    return kept | {DERIVED: derived, "": {**course.facts, "processes": processes}}


def common(one: Sequence[float], other: Sequence[float]) -> int:
    """Return the number of steps up to which two courses are equal."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


def reached(donor: Compared, other: Compared) -> int:
    """Return the last step after which the other trial can go on from the donor; 0 if there is none."""
    step = common(donor.course.rates, other.course.rates)
    if step == other.steps or (step == donor.steps and not donor.course.passed):
        step -= 1  # the last step of a run is followed by what others do not do there
    return max(step, 0)


def _vary_length(configs: Sequence[dict[str, Any]]) -> bool:
    """Return whether runs differ in fields of length, so that some may share their past."""
    kinds = {str(each.get(CLASS)): each for each in configs}
    of_length: set[str] = set()
    for each in kinds.values():
        with contextlib.suppress(CNError):
            of_length |= {*fields_of_length(type(cast("CN", unplain(each))))}
    return any(each.get(name) != configs[0].get(name) for name in of_length for each in configs)


def _tree(group: list[Compared]) -> dict[str, tuple[Trial, int]]:
    """Return from which trial, and after which step, each trial but one goes on.

    In the order of their courses, the longest common parts are those of neighbours. The trials of a part are joined
    from the longest part on, so that what joins them is a tree in which the most steps are shared.
    """
    order = sorted(group, key=lambda each: (list(each.course.rates), each.trial.place))
    pairs = [
        (common(one.course.rates, other.course.rates), place)
        for place, (one, other) in enumerate(itertools.pairwise(order))
    ]
    roots = list(range(len(order)))  # of each trial's tree
    pasts: dict[str, tuple[Trial, int]] = {}
    for length, place in sorted(pairs, key=lambda pair: -pair[0]):
        one, other = roots[place], roots[place + 1]
        first, second = sorted((one, other), key=lambda root: (order[root].steps, order[root].trial.place))
        step = reached(order[first], order[second]) if length else 0
        if step == 0:
            continue
        pasts[order[second].trial.id] = order[first].trial, step
        roots = [first if root == second else root for root in roots]
    return pasts


def _go_on(pasts: dict[str, tuple[Trial, int]], group: list[Compared]) -> None:
    """Let new trials go on from the end of done ones, where that saves more steps."""
    ends = [each for each in group if each.done and each.course.passed]
    for each in group:
        if each.done:
            continue
        known = {done.steps: done for done in ends if reached(done, each) == done.steps}
        most = max(known, default=0)
        if most > pasts.get(each.trial.id, (each.trial, 0))[1]:
            pasts[each.trial.id] = known[most].trial, most


def _joined(trial: Trial, pasts: dict[str, tuple[Trial, int]], branches: dict[str, set[int]]) -> Trial:
    donor, after = pasts.get(trial.id, (None, 0))
    return dataclasses.replace(
        trial,
        past="" if donor is None else donor.folder,
        after=after,
        branches=tuple(sorted(branches.get(trial.id, ()))),
    )


def components(trials: Sequence[Trial]) -> list[list[Trial]]:
    """Return the trials, those of one tree together and each after the one from which it goes on."""
    by_folder = {each.folder: each for each in trials}
    below: dict[str, list[Trial]] = defaultdict(list)
    for each in trials:
        below[each.past if each.past in by_folder else ""].append(each)

    def tree(root: Trial) -> list[Trial]:
        found, waiting = list[Trial](), [root]
        while waiting:
            each = waiting.pop(0)
            found.append(each)
            waiting += sorted(below[each.folder], key=lambda one: one.after)
        return found

    return [tree(each) for each in below[""]]
