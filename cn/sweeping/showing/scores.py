"""The results of a sweep: a row for each setting over its seeds, best first."""

from __future__ import annotations

import shlex
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cn import program
from cn.errors import UserError, hint, nearest, short
from cn.nodes.to_json import DERIVED
from cn.run_folder.differences import ABSENT, differences, values_in
from cn.run_folder.progress import value_of, whole_summary
from cn.run_folder.state_files import DamagedError
from cn.run_folder.where import names_in, says_where
from cn.sweeping.folder.look import look
from cn.sweeping.folder.store import Trial
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.goal import Goal
from cn.sweeping.limit import Limit, total
from cn.sweeping.planning.mend import adopt
from cn.sweeping.planning.named import Named
from cn.sweeping.project import verbs
from cn.sweeping.showing.apart import apart


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
    means: tuple[float, ...] = ()  # of each goal, over the seeds; none without a value
    limited: tuple[float, ...] = ()  # means of the metrics that have a limit; none without a value
    excess: Mapping[str, float] = field(default_factory=dict[str, float])  # limit -> by which part it is exceeded
    front: bool = False  # whether no other row within the limits is better in one goal and not worse in any

    @property
    def mean(self) -> float | None:
        return statistics.fmean(value for _, value in self.values) if self.values else None

    @property
    def spread(self) -> float | None:
        """The sample standard deviation; None for fewer than two values."""
        return statistics.stdev(value for _, value in self.values) if len(self.values) > 1 else None

    @property
    def within(self) -> bool:
        """Whether the row has a value, and its means exceed no limit."""
        return bool(self.values) and not total(self.excess)

    @property
    def failed(self) -> bool:
        """Whether a trial of this code ended without a value, or was pruned: the mean is of those that went well."""
        ended = (TrialStatus.FAILED, TrialStatus.PRUNED, TrialStatus.DONE)
        return any(each.state in ended and each.code == self.code for each, _ in self.missing)

    @property
    def count(self) -> int:
        return len(self.values)

    @property
    def expected(self) -> int:
        return len(self.values) + len(self.missing)


def outcomes(named: Named) -> list[Outcome]:
    """Return the outcome of every submitted trial; of a sweep class, those in its plan, with the words that it has now.

    UserError if there are none.
    """
    if named.guessed:
        (damaged,) = named.damaged
        what = f"the goal of {named.name} is not known: {damaged}"
        raise UserError(what, f"see: {named.command('status')}")
    sweeping = look(named.store)
    found = sweeping.trials
    if named.sweep is not None:
        planned = [each.trial for each in adopt(named.store, sweeping, named.planned())]
        for each in planned:  # an axis may have been added or removed, or a 1 become a 1.0, since it was submitted
            if each.id in found:
                found[each.id].trial = replace(found[each.id].trial, words=each.words)
        found = {each.id: found[each.id] for each in planned if each.id in found}
    if not found and sweeping.trials:
        what = f"no trial of {named.name} that was submitted is planned now"
        those = f"for the results of those: {verbs()} results {shlex.quote(str(named.store.folder))}"
        raise UserError(what, those, f"see: {named.command('plan')}")
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
    is_plan = named.sweep is not None and named.sweep.search is None
    return outcomes if is_plan else _told_apart(outcomes)


def _told_apart(outcomes: list[Outcome]) -> list[Outcome]:
    """Return the outcomes; where settings have the same words but another base, with what differs as further words."""
    more = apart([each.trial for each in outcomes], lambda trial: tuple(sorted(setting(trial))), _of_base)
    return [
        replace(each, trial=replace(each.trial, words=(*each.trial.words, *more.get(each.trial.id, ()))))
        for each in outcomes
    ]


def _of_base(trials: list[Trial]) -> dict[str, list[Any]]:
    """Return the settings that differ, other than the seed; a key that some lack is of other code."""
    found = differences([values_in(_given(each.config)) for each in trials])
    where = names_in(trials[0].config)
    return {
        key: row for key, row in found.items() if key != "seed" and ABSENT not in row and not says_where(key, where)
    }


def _given(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record without derived values, which may follow from the seed."""
    left = {name: value for name, value in record.items() if name not in record.get(DERIVED, ())}
    return {name: _given(value) if isinstance(value, dict) else value for name, value in left.items()}


def results(outcomes: Iterable[Outcome], goal: Goal) -> list[Row]:
    """Return the rows, best first, settings without a value last; ties keep their order.

    Of several goals, those on the Pareto front come first, each part in the order of the first goal. Those beyond a
    limit follow, by how much. A setting of which a trial failed comes after those without a failed one. A setting that
    was run by several versions of the code has a row for each.
    UserError if no finished trial recorded the metric of a goal or of a limit.
    """
    outcomes, limits = list(outcomes), goal.limits()
    settings: dict[tuple[str, ...], list[Outcome]] = {}
    for each in outcomes:
        settings.setdefault(tuple(sorted(setting(each.trial))), []).append(each)
    rows: list[Row] = []
    for trials in settings.values():
        words = setting(trials[0].trial)
        valued: dict[str | None, list[tuple[Outcome, float]]] = {}
        missing: dict[int, str] = {}  # index of the trial -> why it has no value
        for place, each in enumerate(trials):
            known = goal.values(each.summary) if each.state == TrialStatus.DONE else None
            if known is None:
                missing[place] = _why(each, goal)
            else:
                valued.setdefault(each.code, []).append((each, known[0]))
        codes = {each.code for each in trials}
        if not valued:
            code = codes.pop() if len(codes) == 1 else None
            rows.append(Row(words, code, (), tuple((trials[place], why) for place, why in missing.items())))
        for code, values in valued.items():
            values.sort(key=lambda pair: goal.order(pair[1]))
            others = {place: "other code" for place, each in enumerate(trials) if each.code != code} | missing
            left = tuple((trials[place], others[place]) for place in sorted(others))
            means = _means(goal.values(each.summary) or () for each, _ in values)
            found = ([one.of(each.summary) for one in limits] for each, _ in values)
            limited = _means([value for value in row if value is not None] for row in found)
            excess = {one.described(): one.excess(mean) for one, mean in zip(limits, limited, strict=True)}
            rows.append(Row(words, code, tuple(values), left, means, limited, excess))
    done = [each for each in outcomes if each.state == TrialStatus.DONE]
    for each in (*goal.each(), *limits):
        if done and not any(type(_recorded(one, each.metric)) in (int, float) for one in done):
            raise _unrecorded(each, done, further=each.metric in goal.others)
    if goal.others:
        rows = _marked(rows, goal)
    return sorted(
        rows, key=lambda row: (not row.front, not row.values, total(row.excess), row.failed, goal.order(row.mean))
    )


def _means(rows: Iterable[Sequence[float]]) -> tuple[float, ...]:
    """Return the mean of each column."""
    return tuple(map(statistics.fmean, zip(*rows, strict=True)))


def _marked(rows: list[Row], goal: Goal) -> list[Row]:
    """Return the rows with those on the Pareto front marked."""
    within = [place for place, row in enumerate(rows) if row.within]
    within = [place for place in within if not rows[place].failed] or within
    front = dict(zip(within, goal.front([rows[place].means for place in within]), strict=True))
    return [replace(row, front=front.get(place, False)) for place, row in enumerate(rows)]


def best(rows: list[Row], name: str) -> Row:
    """Return the best setting, whose first value is of its best trial.

    UserError if no trial has a value, or no setting is within the limits.
    """
    if not rows or not rows[0].values:
        counts = Counter(why for row in rows for _, why in row.missing)
        stand = ", ".join(f"{count} {why}" for why, count in counts.items())
        what = f"no trial of {name} has a result yet" + (f": {stand}" if stand else "")
        raise UserError(what, f"see: {verbs()} status {name}")
    if not rows[0].within:
        means = dict(zip(rows[0].excess, rows[0].limited, strict=True))
        beyond = ", ".join(f"{means[name]:g} for {name}" for name, excess in rows[0].excess.items() if excess > 0)
        what = f"no setting of {name} is within the limits; the nearest has {beyond}"
        raise UserError(what, f"see: {verbs()} results {name}")
    return rows[0]


def setting(trial: Trial) -> tuple[str, ...]:
    """Return the trial's overrides without its seed."""
    return tuple(word for word in trial.words if not word.lstrip("+").startswith("seed="))


def numbers(summary: dict[str, Any]) -> dict[str, float]:
    """Return the numeric values of a summary."""
    return {key: value for key, value in summary.items() if type(value) in (int, float)}


def _recorded(outcome: Outcome, metric: str) -> Any:
    """Return the summary's value of a metric, which may not be finite."""
    return outcome.summary.get(f"best/{metric}", outcome.summary.get(metric))


def _why(outcome: Outcome, goal: Goal) -> str:
    if outcome.state != TrialStatus.DONE:
        return outcome.state
    missing = next(each for each in goal.measured() if value_of(outcome.summary, each) is None)
    value = _recorded(outcome, missing)
    if value is None:
        return f"no {missing}" if len(goal.measured()) > 1 else "no value"
    return short(str(value))  # nan, inf


def _unrecorded(goal: Goal | Limit, done: list[Outcome], *, further: bool) -> UserError:
    """further: it is not the first goal."""
    names = {name.removeprefix("best/") for each in done for name in numbers(each.summary)}
    what = f"no finished trial recorded {goal.metric!r}"
    if not names:
        return UserError(what, "none of them has a number in its summary.json, nor returned one")
    write = (nearest(goal.metric, names, most=1) or ["NAME"])[0]
    more = ""
    if isinstance(goal, Limit):
        word = f"goal.{'at_most' if goal.upper else 'at_least'}={{{write}: {goal.bound:g}}}"
    elif further:
        word = f"goal.others={{{write}: {goal.direction}}}"
    else:
        word, other = f"goal.metric={write}", Goal(metric=write, direction=goal.direction).other_way
        more = f" goal.direction={other}" if other is not None else ""
    return UserError(what, hint(goal.metric, names), f"write: {program.quoted(word)}{more}")
