"""python train.py callbacks=early_stopping callbacks.early_stopping.patience=3"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Lt

from runs.callbacks import Callback

if TYPE_CHECKING:
    from runs.callbacks._early_stopping import Stopper


class EarlyStopping(Callback):
    """Ends the run when a validation metric has stopped improving."""

    metric: str = "validation/loss"  # or another that a validation writes, callbacks before this one included
    mode: Literal["min", "max"] | None = None  # which of its values is good; null: as the task or its name says
    patience: Annotated[int, Ge(1)] = 5  # validations without an improvement
    least: Annotated[float, Ge(0), Lt(inf)] = 0.0  # an improvement by less than this is none

    _any_length_ = True

    def build(self) -> Stopper:
        from cn.run_folder.watched import Watched
        from runs.callbacks._early_stopping import Stopper

        return Stopper(metric=Watched(self.metric, self.mode), patience=self.patience, least=self.least)
