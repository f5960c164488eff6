"""One cycle up and down, then far down."""

from typing import Annotated

from annotated_types import Ge, Gt, Le

from runs.schedule import Schedule, Share
from runs.schedule._length import in_steps

Rise = Annotated[int, Ge(1)] | Annotated[float, Gt(0), Le(0.5)]  # the way down is as long


class OneCycle(Schedule):
    """The base rate is the peak of one cycle (Smith and Topin 2018, arXiv:1708.07120).

    Straight from `start` up to the base rate, as many steps straight down to `start`, and from
    there straight to `floor`. The rate alone cycles: momentum stays what the optimiser says.
    """

    warmup: Rise = 0.45  # way up, and as long the way down; int: optimiser steps; float: share of all
    start: Share = 0.1  # share of the base rate at the first step
    floor: Share = 1e-4  # share of the base rate that it ends at, at most start

    def check(self) -> None:
        if self.floor > self.start:
            raise ValueError(
                f"floor={self.floor} is where the cycle ends and lies outside [0, start]: give 0.0 to {self.start}"
            )

    def factor(self, step: int, steps: int) -> float:
        warmup = in_steps("warmup", self.warmup, steps, times=2)
        if step < 2 * warmup:
            return 1 - (1 - self.start) * abs(step - warmup) / warmup
        done = (step - 2 * warmup) / (steps - 2 * warmup)
        return self.start + (self.floor - self.start) * done
