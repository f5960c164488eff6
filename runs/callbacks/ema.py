"""python train.py callbacks=ema callbacks.ema.decay=0.99"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs.callbacks import Callback

if TYPE_CHECKING:
    from runs.callbacks._ema import Average


class Ema(Callback):
    """Averages the weights exponentially over the steps; it is the average that is validated, tested and shown."""

    decay: float = 0.999  # of the average at each step, in (0, 1); at most (1 + step) / (10 + step), for a quick start

    def build(self) -> Average:
        from runs.callbacks._ema import Average

        return Average(decay=self.decay)

    def check(self) -> None:
        if not 0 < self.decay < 1:
            raise ValueError(f"decay is {self.decay}, and must be above 0 and below 1")
