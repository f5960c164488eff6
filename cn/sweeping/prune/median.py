"""python -m sweeps submit NAME prune=median prune.after=3"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge

from cn.sweeping.prune import Curve, Prune


class Median(Prune):
    """A trial ends if its best value is worse than the median of what the others had reached at the same step."""

    others: Annotated[int, Ge(1)] = 4  # trials that must have reached the step

    def prunes(self, own: Curve, others: Sequence[Curve]) -> bool:
        from statistics import median

        if len(own) <= self.after:
            return False
        step = max(own)
        at_step = [reached(each, step) for each in others if each and min(each) <= step <= max(each)]
        return len(at_step) >= self.others and reached(own, step) < median(at_step)


def reached(curve: Curve, step: int) -> float:
    """Return the best value of a curve up to a step."""
    return max(value for at, value in curve.items() if at <= step)
