"""python train.py callbacks=learning_rate"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs.callbacks import Callback

if TYPE_CHECKING:
    from runs.callbacks._learning_rate import Rates


class LearningRate(Callback):
    """Writes the learning rate among the metrics, for each group of parameters that has one of its own."""

    _any_length_ = True

    def build(self) -> Rates:
        from runs.callbacks._learning_rate import Rates

        return Rates()
