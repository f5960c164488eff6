"""The goal of a sweep: which trial is the best. Several goals, `maximize("a") & minimize("b")`, have a Pareto front."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

from cn.errors import UserError, lines
from cn.nodes.node import CN
from cn.nodes.notes import Neutral
from cn.run_folder.progress import value_of

Direction = Literal["maximize", "minimize"]


class Goal(CN):
    """A metric that a run's summary.json holds, and which way is better."""

    metric: str  # such as validation/accuracy
    direction: Direction
    others: Annotated[dict[str, Direction], Neutral()] = {}  # further goals: metric -> direction

    def __and__(self, other: Goal) -> Goal:
        """Return both goals together; the first is that of curves, and orders what is equally good."""
        theirs: dict[str, Direction] = {each.metric: each.direction for each in other.each()}
        mine = {each.metric for each in self.each()}
        if twice := mine & theirs.keys():
            raise UserError(lines(f"{min(twice)} is a goal twice", "keep it in one of them"))
        return Goal(metric=self.metric, direction=self.direction, others=self.others | theirs)

    def each(self) -> list[Goal]:
        """Return the single goals."""
        first = Goal(metric=self.metric, direction=self.direction)
        return [first, *(Goal(metric=metric, direction=direction) for metric, direction in self.others.items())]

    def values(self, summary: Mapping[str, Any]) -> tuple[float, ...] | None:
        """Return the value of a run for each single goal; None if one is missing or not finite."""
        found = [each.of(summary) for each in self.each()]
        known = tuple(value for value in found if value is not None)
        return known if len(known) == len(found) else None

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

    def described(self) -> str:
        """Return `maximize validation/accuracy and minimize parameters`."""
        return " and ".join(f"{each.direction} {each.metric}" for each in self.each())

    def check(self) -> None:
        if not self.metric.strip():
            raise ValueError("metric is empty, and must name a value of summary.json, such as validation/accuracy")
        if not all(each.strip() for each in self.others):
            raise ValueError("others has an empty name, and must name values of summary.json, such as parameters")
        if self.metric in self.others:
            raise ValueError(f"others holds {self.metric}, which is the first goal: leave it out")


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
