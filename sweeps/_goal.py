"""Which trial of a sweep is the best."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from cn import CN
from runs import Run


class Goal(CN):
    """A metric that a run's summary.json holds, and which way is better."""

    metric: str  # such as validation/accuracy
    direction: Literal["maximize", "minimize"]

    def of(self, summary: Mapping[str, Any]) -> float | None:
        """What a run reached, `best/METRIC` before `METRIC`; None where that is missing or no finite number."""
        value = summary.get(f"best/{self.metric}", summary.get(self.metric))
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            return None
        return float(value)

    def order(self, value: float | None) -> float:
        """For `sorted(..., key=goal.order)`: best first, and last what has no finite value."""
        if value is None or not math.isfinite(value):
            return math.inf
        return -value if self.direction == "maximize" else value

    def check(self) -> None:
        if not self.metric.strip():
            raise ValueError("metric is empty, and must name a value of summary.json, such as validation/accuracy")


def of_task(run: Run, metric: str | None = None) -> Goal:
    """The goal of a run's task; `metric` is another name under which its value is found."""
    own = run.task.goal()[0]
    return Goal(metric=metric or own.name, direction="minimize" if own.less else "maximize")


def maximize(metric: str) -> Goal:
    """More is better."""
    return Goal(metric=metric, direction="maximize")


def minimize(metric: str) -> Goal:
    """Less is better."""
    return Goal(metric=metric, direction="minimize")
