"""What a search is told of the points before, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class PointState(StrEnum):
    """How far a point is."""

    RUNNING = "running"  # asked; its value is not known yet
    DONE = "done"
    PRUNED = "pruned"
    FAILED = "failed"  # ended without a value


@dataclass(frozen=True)
class Past:
    """A point that was asked before."""

    values: dict[str, Any]  # field -> value, in JSON form
    state: PointState = PointState.RUNNING
    value: float | None = None  # of the goal: the mean over the repeated measures; of a pruned point, the last
    step: int | None = None  # at which it was pruned
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])  # the sampler's own, as it gave them
    others: tuple[float, ...] = ()  # of further goals, if it is done
    excess: dict[str, float] = field(default_factory=dict[str, float])  # limit -> by which part of it it is exceeded


@dataclass(frozen=True)
class Suggestion:
    """The values of a point, and what the sampler wants to be told with it later."""

    values: dict[str, Any]
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])
