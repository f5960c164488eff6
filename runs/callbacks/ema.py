"""python train.py callbacks=ema callbacks.ema.decay=0.99"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt, Lt

from runs.callbacks import Callback

if TYPE_CHECKING:
    from runs.callbacks._ema import Average


class Ema(Callback):
    """Averages the weights exponentially over the steps; it is the average that is validated, tested and shown."""

    decay: Annotated[float, Gt(0), Lt(1)] = 0.999  # of the average at each step; at most (1 + step) / (10 + step)

    _any_length_ = True

    def build(self) -> Average:
        from runs.callbacks._ema import Average

        return Average(decay=self.decay)
