"""The results of a sweep: a row for each setting over its seeds, best first."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cn import program
from cn.errors import UserError, hint, lines, nearest, short
from cn.run_folder.progress import whole_summary
from cn.run_folder.state_files import DamagedError
from cn.sweeping.folder.standing import look
from cn.sweeping.folder.store import Trial
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.goal import Goal
from cn.sweeping.planning.mend import adopt
from cn.sweeping.planning.named import Named
from cn.sweeping.project import verbs


@dataclass(frozen=True)
class Outcome:
    """The state of a trial, and its summary."""

    trial: Trial
    state: TrialStatus
    reason: str | None  # why the trial failed or waits
    summary: dict[str, Any]  # summary.json, and the function's return value as `score`
    code: str | None  # digest of the trial's code; None if it has not begun
    started: float | None = None  # seconds since the epoch, of the last attempt; None if it has not begun


@dataclass(frozen=True)
class Row:
    """Trials whose overrides differ only in the seed, and that ran the same code."""

    words: tuple[str, ...]  # without the seed
    code: str | None  # code of the values; without values, of the trials, or None if they differ
    values: tuple[tuple[Outcome, float], ...]  # of done trials, best first
    missing: tuple[tuple[Outcome, str], ...]  # the other trials, each with why it has no value

    @property
    def mean(self) -> float | None:
        return statistics.fmean(value for _, value in self.values) if self.values else None

    @property
    def spread(self) -> float | None:
        """The sample standard deviation; None for fewer than two values."""
        return statistics.stdev(value for _, value in self.values) if len(self.values) > 1 else None

    @property
    def count(self) -> int:
        return len(self.values)

    @property
    def expected(self) -> int:
        return len(self.values) + len(self.missing)


def outcomes(named: Named) -> list[Outcome]:
    """Return the outcome of every submitted trial; of a sweep class, those in its plan. UserError if there are none."""
    if named.guessed:
        (damaged,) = named.damaged
        what = f"the goal of {named.name} is not known: {damaged}"
        raise UserError(lines(what, f"see: {named.command('status')}"))
    sweeping = look(named.store)
    found = sweeping.trials
    if named.sweep is not None:
        planned = adopt(named.store, sweeping, named.planned())
        found = {each.trial.id: found[each.trial.id] for each in planned if each.trial.id in found}
    if not found:
        raise named.never()
    outcomes: list[Outcome] = []
    for each in found.values():
        begun, reason = each.report is not None or each.state == TrialStatus.DONE, each.reason
        started = each.report.started if each.report is not None else None
        recorded: dict[str, Any] = {}
        try:
            recorded = whole_summary(named.store.at(each.trial)) if begun else {}
        except DamagedError as damaged:
            reason = reason or str(damaged)
        if each.report is not None and each.report.value is not None and each.state == TrialStatus.DONE:
            recorded = {**recorded, "score": each.report.value}
        outcomes.append(Outcome(each.trial, each.state, reason, recorded, each.code if begun else None, started))
    return outcomes


def results(outcomes: Iterable[Outcome], goal: Goal) -> list[Row]:
    """Return the rows, best first, settings without a value last; ties keep their order.

    A setting that was run by several versions of the code has a row for each. UserError if no finished trial recorded
    the
    goal.
    """
    outcomes = list(outcomes)
    settings: dict[tuple[str, ...], list[Outcome]] = {}
    for each in outcomes:
        settings.setdefault(tuple(sorted(setting(each.trial))), []).append(each)
    rows: list[Row] = []
    for trials in settings.values():
        words = setting(trials[0].trial)
        valued: dict[str | None, list[tuple[Outcome, float]]] = {}
        missing: dict[int, str] = {}  # index of the trial -> why it has no value
        for place, each in enumerate(trials):
            value = goal.of(each.summary) if each.state == TrialStatus.DONE else None
            if value is None:
                missing[place] = _why(each, goal)
            else:
                valued.setdefault(each.code, []).append((each, value))
        codes = {each.code for each in trials}
        if not valued:
            code = codes.pop() if len(codes) == 1 else None
            rows.append(Row(words, code, (), tuple((trials[place], why) for place, why in missing.items())))
        for code, values in valued.items():
            values.sort(key=lambda pair: goal.order(pair[1]))
            others = {place: "other code" for place, each in enumerate(trials) if each.code != code} | missing
            rows.append(
                Row(words, code, tuple(values), tuple((trials[place], others[place]) for place in sorted(others)))
            )
    done = [each for each in outcomes if each.state == TrialStatus.DONE]
    if done and all(_recorded(each, goal) is None for each in done):
        raise _unrecorded(goal, done)
    return sorted(rows, key=lambda row: goal.order(row.mean))


def best(rows: list[Row], name: str) -> Row:
    """Return the best setting, whose first value is of its best trial; UserError if no trial has a value."""
    if not rows or not rows[0].values:
        counts = Counter(why for row in rows for _, why in row.missing)
        stand = ", ".join(f"{count} {why}" for why, count in counts.items())
        what = f"no trial of {name} has a result yet" + (f": {stand}" if stand else "")
        raise UserError(lines(what, f"see: {verbs()} status {name}"))
    return rows[0]


def setting(trial: Trial) -> tuple[str, ...]:
    """Return the trial's overrides without its seed."""
    return tuple(word for word in trial.words if not word.lstrip("+").startswith("seed="))


def numbers(summary: dict[str, Any]) -> dict[str, float]:
    """Return the numeric values of a summary."""
    return {key: value for key, value in summary.items() if type(value) in (int, float)}


def _recorded(outcome: Outcome, goal: Goal) -> Any:
    """Return the summary's value for the goal, which may not be finite."""
    return outcome.summary.get(f"best/{goal.metric}", outcome.summary.get(goal.metric))


def _why(outcome: Outcome, goal: Goal) -> str:
    if outcome.state != TrialStatus.DONE:
        return outcome.state
    value = _recorded(outcome, goal)
    return "no value" if value is None else short(str(value))  # nan, inf


def _unrecorded(goal: Goal, done: list[Outcome]) -> UserError:
    names = {name.removeprefix("best/") for each in done for name in numbers(each.summary)}
    what = f"no finished trial recorded {goal.metric!r}"
    if not names:
        return UserError(lines(what, "none of them has a number in its summary.json, nor returned one"))
    write = (nearest(goal.metric, names, most=1) or ["NAME"])[0]
    return UserError(lines(what, hint(goal.metric, names), f"write: {program.quoted(f'goal.metric={write}')}"))
