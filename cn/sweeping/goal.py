"""The goal of a sweep: which trial is the best."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

from cn.nodes.node import CN
from cn.run_folder.progress import value_of


class Goal(CN):
    """A metric that a run's summary.json holds, and which way is better."""

    metric: str  # such as validation/accuracy
    direction: Literal["maximize", "minimize"]

    def of(self, summary: Mapping[str, Any]) -> float | None:
        """Return the value of a run, `best/METRIC` before `METRIC`; None if it is missing or not finite."""
        return value_of(summary, self.metric)

    def order(self, value: float | None) -> float:
        """Sort key for `sorted(..., key=goal.order)`: best first, and values that are not finite last."""
        if value is None or not math.isfinite(value):
            return math.inf
        return -value if self.direction == "maximize" else value

    def described(self) -> str:
        """Return `maximize validation/accuracy`."""
        return f"{self.direction} {self.metric}"

    def check(self) -> None:
        if not self.metric.strip():
            raise ValueError("metric is empty, and must name a value of summary.json, such as validation/accuracy")


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
