"""Limits of a sweep: what a trial must not exceed, `at_most("parameters", 1e6)`, or must reach, `at_least(...)`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cn.run_folder.progress import value_of


@dataclass(frozen=True)
class Limit:
    """A metric that a run's summary.json holds, and its bound."""

    metric: str
    bound: float
    upper: bool  # whether the metric is at most the bound; else it is at least that

    def of(self, summary: Mapping[str, Any]) -> float | None:
        """Return the value of a run, as `Goal.of` does."""
        return value_of(summary, self.metric)

    def excess(self, value: float) -> float:
        """Return by which part of the bound a value is beyond it; 0 or less within it. Of the bound 0: by how much."""
        beyond = value - self.bound if self.upper else self.bound - value
        return beyond / (abs(self.bound) or 1.0)

    def described(self) -> str:
        """Return `parameters <= 1e+06`."""
        return f"{self.metric} {'<=' if self.upper else '>='} {self.bound:g}"


def at_most(metric: str, bound: float) -> Limit:
    """Return a limit that larger values exceed."""
    return Limit(metric, bound, upper=True)


def at_least(metric: str, bound: float) -> Limit:
    """Return a limit that smaller values do not reach."""
    return Limit(metric, bound, upper=False)


def total(excess: Mapping[str, float]) -> float:
    """Return the sum of what is beyond its limit; 0 if nothing is."""
    return math.fsum(each for each in excess.values() if each > 0)
