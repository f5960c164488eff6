"""The goal of a sweep: which trial is the best.

Several goals, `maximize("a") & minimize("b")`, have a Pareto front; `& at_most("c", 1e6)` limits what may be the best.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

from cn.errors import UserError, hint
from cn.nodes.node import CN
from cn.nodes.notes import Neutral
from cn.run_folder.progress import value_of
from cn.run_folder.watched import of_less
from cn.sweeping.limit import Limit, total

Direction = Literal["maximize", "minimize"]


class Goal(CN):
    """A metric that a run's summary.json holds, and which way is better."""

    metric: str  # such as validation/accuracy
    direction: Direction
    others: Annotated[dict[str, Direction], Neutral()] = {}  # further goals: metric -> direction
    at_most: Annotated[dict[str, float], Neutral()] = {}  # limits: metric -> the largest value that may be the best
    at_least: Annotated[dict[str, float], Neutral()] = {}  # limits: metric -> the smallest value that may be the best

    def __and__(self, other: object) -> Goal:
        """Return both together; the first goal is that of curves, and orders what is equally good."""
        if isinstance(other, Limit):
            return self._limited(other)
        if not isinstance(other, Goal):
            return NotImplemented
        theirs: dict[str, Direction] = {each.metric: each.direction for each in other.each()}
        mine = {each.metric for each in self.each()}
        if twice := mine & theirs.keys():
            raise UserError(f"{min(twice)} is a goal twice", "keep it in one of them")
        found = Goal(
            metric=self.metric,
            direction=self.direction,
            others=self.others | theirs,
            at_most=self.at_most,
            at_least=self.at_least,
        )
        for each in other.limits():
            found = found._limited(each)
        return found

    def __rand__(self, other: object) -> Goal:
        return self._limited(other) if isinstance(other, Limit) else NotImplemented

    def _limited(self, limit: Limit) -> Goal:
        """Return the goal with a further limit."""
        known = self.at_most if limit.upper else self.at_least
        if limit.metric in known:
            raise UserError(f"{limit.metric} is limited twice", "keep one of the two")
        own = {limit.metric: limit.bound}
        return Goal(
            metric=self.metric,
            direction=self.direction,
            others=self.others,
            at_most=self.at_most | own if limit.upper else self.at_most,
            at_least=self.at_least if limit.upper else self.at_least | own,
        )

    def each(self) -> list[Goal]:
        """Return the single goals."""
        first = Goal(metric=self.metric, direction=self.direction)
        return [first, *(Goal(metric=metric, direction=direction) for metric, direction in self.others.items())]

    def limits(self) -> list[Limit]:
        """Return the limits, upper ones first."""
        upper = [Limit(metric, bound, upper=True) for metric, bound in self.at_most.items()]
        return [*upper, *(Limit(metric, bound, upper=False) for metric, bound in self.at_least.items())]

    @property
    def other_way(self) -> Direction | None:
        """The other direction, if the metric's name says that it is the better one; a score may go either way."""
        less = None if self.metric == "score" else of_less(self.metric)
        right: Direction = "minimize" if less else "maximize"
        return None if less is None or right == self.direction else right

    def measured(self) -> list[str]:
        """Return the metrics that a trial must have recorded to be compared: those of the goals and of the limits."""
        return list(dict.fromkeys(each.metric for each in (*self.each(), *self.limits())))

    def values(self, summary: Mapping[str, Any]) -> tuple[float, ...] | None:
        """Return the value of a run for each single goal; None if one, or that of a limit, is missing or not finite."""
        found = {name: value for name in self.measured() if (value := value_of(summary, name)) is not None}
        return tuple(found[each.metric] for each in self.each()) if len(found) == len(self.measured()) else None

    def unrecorded(self, recorded: Mapping[str, Any]) -> str | None:
        """Return which metric no finished trial has recorded, and the nearest that is there; None if none is missing.

        recorded: what finished trials have in their summaries, all together.
        """
        names = {name.removeprefix("best/") for name in recorded}
        missing = next((name for name in self.measured() if name not in names), None)
        if missing is None or not names:
            return None
        numbers = {name.removeprefix("best/") for name, value in recorded.items() if type(value) in (int, float)}
        return f"no finished trial recorded {missing!r}; {hint(missing, numbers)}"

    def excess(self, summary: Mapping[str, Any]) -> dict[str, float]:
        """Return by which part of its bound a run is beyond each limit, by what the limit is called.

        A limit whose value is missing or not finite is left out.
        """
        found = [(each, each.of(summary)) for each in self.limits()]
        return {each.described(): each.excess(value) for each, value in found if value is not None}

    def is_beyond(self, summary: Mapping[str, Any]) -> bool:
        """Return whether a run is known to be beyond a limit."""
        return total(self.excess(summary)) > 0

    def front(self, rows: Sequence[Sequence[float]]) -> list[bool]:
        """Return for each row, which has a value for each single goal, whether no other row dominates it.

        A row dominates another if it is better in one goal and not worse in any.
        """
        goals = self.each()
        costs = [tuple(goal.order(value) for goal, value in zip(goals, row, strict=True)) for row in rows]
        return [
            not any(other != own and all(a <= b for a, b in zip(other, own, strict=True)) for other in costs)
            for own in costs
        ]

    def of(self, summary: Mapping[str, Any]) -> float | None:
        """Return the value of a run, `best/METRIC` before `METRIC`; None if it is missing or not finite."""
        return value_of(summary, self.metric)

    def order(self, value: float | None) -> float:
        """Sort key for `sorted(..., key=goal.order)`: best first, and values that are not finite last."""
        if value is None or not math.isfinite(value):
            return math.inf
        return -value if self.direction == "maximize" else value

    def counted(self) -> str:
        """Return `goal has 2: maximize validation/accuracy and minimize seconds`."""
        return f"goal has {len(self.each())}: {self.described()}"

    def described(self) -> str:
        """Return `maximize validation/accuracy and minimize seconds, with parameters <= 1e+06`."""
        goals = " and ".join(f"{each.direction} {each.metric}" for each in self.each())
        limits = " and ".join(each.described() for each in self.limits())
        return f"{goals}, with {limits}" if limits else goals

    def check(self) -> None:
        if not self.metric.strip():
            raise ValueError("metric is empty, and must name a value of summary.json, such as validation/accuracy")
        if not all(each.strip() for each in self.others):
            raise ValueError("others has an empty name, and must name values of summary.json, such as parameters")
        if self.metric in self.others:
            raise ValueError(f"others holds {self.metric}, which is the first goal: leave it out")
        for each in self.limits():
            name = "at_most" if each.upper else "at_least"
            if not each.metric.strip():
                raise ValueError(f"{name} has an empty name, and must name values of summary.json, such as parameters")
            if not math.isfinite(each.bound):
                raise ValueError(f"{name} holds {each.metric}: {each.bound}, which limits nothing: leave it out")
        for name in sorted(self.at_most.keys() & self.at_least.keys()):
            if self.at_least[name] > self.at_most[name]:
                bounds = f"at least {self.at_least[name]:g} and at most {self.at_most[name]:g}"
                raise ValueError(f"no value of {name} is {bounds}")


def of_run(run: CN, metric: str | None = None) -> Goal:
    """Return the goal of a run: that of its method `goal`, else a large score; `metric` replaces the metric."""
    goal: Callable[[], Goal] | None = getattr(run, "goal", None)
    found = goal() if callable(goal) else maximize("score")
    return Goal(metric=metric or found.metric, direction=found.direction)


def maximize(metric: str) -> Goal:
    """Return a goal with larger values better."""
    return Goal(metric=metric, direction="maximize")


def minimize(metric: str) -> Goal:
    """Return a goal with smaller values better."""
    return Goal(metric=metric, direction="minimize")
