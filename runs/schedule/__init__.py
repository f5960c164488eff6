"""Schedules: how the learning rate changes over a run."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Le, Lt

from cn import CN

if TYPE_CHECKING:
    from runs.schedule._rule import Rule

Length = Annotated[int, Ge(0)] | Annotated[float, Ge(0), Lt(1)]  # optimiser steps, or a share of all
Share = Annotated[float, Ge(0), Le(1)]  # of the base rate


class Schedule(CN):
    """A factor for each optimiser step, by which every group's own base rate is multiplied.

    A curve is drawn from 0 to `steps` and read at 0 to `steps - 1`. So where it falls to zero it
    does so one step after the last: no step is wasted, not even that of a run of one.
    """

    @abstractmethod
    def factor(self, step: int, steps: int) -> float:
        """Return the factor at `step` of `steps`, counted from 0: a pure function, so resuming needs no state."""

    def build(self, *, steps: int) -> Rule:
        """Return the factors of a run of `steps` optimiser steps."""
        from runs.schedule._rule import Factors, Rule

        return Rule(Factors(lambda step: self.factor(step, steps), steps))
