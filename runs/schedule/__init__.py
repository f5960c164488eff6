"""Schedules: how the learning rate changes over a run."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from cn import CN

if TYPE_CHECKING:
    from runs.schedule._rule import Rule


class Schedule(CN):
    """A factor for each optimiser step, by which every group's own base rate is multiplied.

    A curve is drawn from 0 to `steps` and read at 0 to `steps - 1`. So where it falls to zero it
    does so one step after the last: no step is wasted, not even that of a run of one.
    """

    @abstractmethod
    def factor(self, step: int, steps: int) -> float:
        """The factor at `step` of `steps`, counted from 0: a pure function, so resuming is free."""

    def build(self, *, steps: int) -> Rule:
        """The factors of a run of `steps` optimiser steps, worked out at once."""
        from runs.schedule._rule import Rule

        return Rule([self.factor(step, steps) for step in range(steps)])
