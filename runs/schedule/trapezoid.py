"""Warm-up, a flat top, cool-down."""

from cn import UserError
from runs.schedule import Length, Schedule, Share
from runs.schedule._length import in_steps


class Trapezoid(Schedule):
    """Straight up, flat, straight down (Zhai et al. 2022, arXiv:2106.04560).

    The flat part does not depend on the length of the run, so a longer run may start from it.
    """

    warmup: Length = 0.05  # int: optimiser steps; float: share of all steps
    cooldown: Length = 0.2  # int: optimiser steps; float: share of all steps
    floor: Share = 0.0  # share of the base rate that it ends at

    def check(self) -> None:
        shares = [part for part in (self.warmup, self.cooldown) if isinstance(part, float)]
        if sum(shares) > 1:
            raise ValueError(
                f"warmup={self.warmup} and cooldown={self.cooldown} are more than the whole run: "
                f"give cooldown={1 - self.warmup:.3g} or less"
            )

    def factor(self, step: int, steps: int) -> float:
        warmup = in_steps("warmup", self.warmup, steps)
        cooldown = in_steps("cooldown", self.cooldown, steps)
        if warmup + cooldown > steps + 1:  # rounding may add one step
            raise UserError(
                f"warmup={self.warmup} and cooldown={self.cooldown} of the schedule do not fit in a run of {steps} "
                f"steps: give cooldown={steps - warmup} or less, or shares of all steps, as in schedule.cooldown=0.2"
            )
        rise = (step + 1) / (warmup + 1)
        fall = (steps - step) / (cooldown + 1)
        return min(1.0, rise, self.floor + (1 - self.floor) * fall)
