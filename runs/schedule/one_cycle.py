"""One cycle up and down, then far down."""

from runs.schedule import Schedule
from runs.schedule._length import check_length, check_share, in_steps


class OneCycle(Schedule):
    """The base rate is the peak of one cycle (Smith and Topin 2018, arXiv:1708.07120).

    Straight from `start` up to the base rate, as many steps straight down to `start`, and from
    there straight to `floor`. The rate alone cycles: momentum stays what the optimiser says.
    """

    warmup: int | float = 0.45  # way up; int: optimiser steps; float: share of all, in (0, 0.5]
    start: float = 0.1  # share of the base rate at the first step, in [0, 1]
    floor: float = 1e-4  # share of the base rate that it ends at, in [0, start]

    def check(self) -> None:
        check_length("warmup", self.warmup)
        if self.warmup == 0:
            raise ValueError(f"warmup={self.warmup} leaves nothing of the cycle but its end: 0.45 is usual")
        if isinstance(self.warmup, float) and self.warmup > 0.5:
            raise ValueError(
                f"warmup={self.warmup} leaves too few steps for the way down, which is as long: give warmup=0.5 or less"
            )
        check_share("start", self.start, usual=0.1)
        if not 0 <= self.floor <= self.start:
            raise ValueError(
                f"floor={self.floor} is where the cycle ends and lies outside [0, start]: give 0.0 to {self.start}"
            )

    def factor(self, step: int, steps: int) -> float:
        warmup = in_steps("warmup", self.warmup, steps, times=2)
        if step < 2 * warmup:
            return 1 - (1 - self.start) * abs(step - warmup) / warmup
        done = (step - 2 * warmup) / (steps - 2 * warmup)
        return self.start + (self.floor - self.start) * done
