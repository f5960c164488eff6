"""python train.py callbacks=checkpoint callbacks.checkpoint.metric=validation/loss callbacks.checkpoint.every=5"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge

from runs.callbacks import Callback

if TYPE_CHECKING:
    from runs.callbacks._checkpoint import Keeper


class Checkpoint(Callback):
    """Says which validation is the best, that best.pt holds and that is tested, and which others are kept besides."""

    metric: str | None = None  # any that a validation writes, those that callbacks add included; null: the task's goal
    mode: Literal["min", "max"] | None = None  # which of its values is good; null: as the task or its name says
    every: Annotated[int, Ge(1)] | None = None  # validations from one kept as step-STEP.pt to the next; null: none is

    _any_length_ = True

    def build(self) -> Keeper:
        from cn.run_folder.watched import Watched
        from runs.callbacks._checkpoint import Keeper

        return Keeper(metric=None if self.metric is None else Watched(self.metric, self.mode), every=self.every)

    def check(self) -> None:
        if self.metric is None and self.mode is not None:
            raise ValueError(f"mode is {self.mode}, and without a metric the task says which of its values is good")
