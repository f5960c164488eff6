"""`plan --why`: for each trial, from which other trial it goes on, or why it begins at step 0."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cn.errors import short
from cn.run_folder.differences import differences, values_in
from cn.sweeping.folder.batches import Trial
from cn.sweeping.planning.plan import Planned
from cn.sweeping.planning.sharing import Compared, common, compare

MOST = 200  # trials with which one is compared


def reasons(planned: Sequence[Planned], known: Sequence[Trial], count: int) -> list[str]:
    """Return a line for each of the first `count` trials of a plan. known: trials that are done already."""
    names = {each.folder: each.id for each in (*known, *(each.trial for each in planned))}
    compared = [compare(each) for each in planned[: max(count, MOST)]]
    return [_reason(each.trial, place, compared, names) for place, each in enumerate(planned[:count])]


def _reason(trial: Trial, place: int, compared: list[Compared | str], names: dict[str, str]) -> str:
    leaves = f"others go on from it after step {', '.join(map(str, trial.branches))}" if trial.branches else None
    if trial.past:
        goes_on = f"goes on from {names[trial.past]} after step {trial.after}"
        return f"{goes_on}; {leaves}" if leaves else goes_on
    own = compared[place]
    if leaves or isinstance(own, str):
        return leaves or f"shares nothing: {own}"
    others = [each for each in compared[:MOST] if isinstance(each, Compared) and each.trial.id != trial.id]
    if not others:
        return "shares nothing: there is no other trial to compare it with"
    apart = {other.trial.id: _apart(own, other) for other in others}
    nearest = min(others, key=lambda other: len(apart[other.trial.id]))
    if differs := apart[nearest.trial.id]:
        return f"shares nothing: differs from {nearest.trial.id} in {short(', '.join(differs))}"
    nearest = max((each for each in others if not apart[each.trial.id]), key=lambda each: _common(own, each))
    step = _common(own, nearest)
    if step >= min(own.steps, nearest.steps):
        return f"shares nothing: the steps in common with {nearest.trial.id} end with the last step of one of the two"
    mine, other = own.course.rates[step], nearest.course.rates[step]
    return f"shares nothing: its rate at step {step + 1} is {mine:g} of the base, and {other:g} in {nearest.trial.id}"


def _common(one: Compared, other: Compared) -> int:
    return common(one.course.rates, other.course.rates)


def _apart(one: Compared, other: Compared) -> list[str]:
    """Return the fields in which two trials differ, without those of length."""
    if one.group == other.group:
        return []
    values = [values_in(json.loads(each.group)) for each in (one, other)]
    return [key.lstrip(".") for key in differences(values)]
