"""python train.py callbacks=early_stopping callbacks.early_stopping.patience=3"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from runs.callbacks import Callback

if TYPE_CHECKING:
    from runs.callbacks._early_stopping import Stopper


class EarlyStopping(Callback):
    """Ends the run when a validation metric has stopped improving."""

    metric: str = "validation/loss"  # or another that a validation writes, callbacks before this one included
    mode: Literal["min", "max"] | None = None  # which of its values is good; null: min of a loss, else max
    patience: int = 5  # validations without an improvement
    least: float = 0.0  # an improvement by less than this is none; at least 0

    def build(self) -> Stopper:
        from runs._watched import Watched
        from runs.callbacks._early_stopping import Stopper

        return Stopper(metric=Watched(self.metric, self.mode), patience=self.patience, least=self.least)

    def check(self) -> None:
        if self.patience < 1:
            raise ValueError(f"patience is {self.patience}, and must be at least 1 validation")
        if not 0 <= self.least < math.inf:
            raise ValueError(f"least is {self.least}, and must be at least 0 and finite")
