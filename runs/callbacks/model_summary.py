"""python train.py callbacks=model_summary"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge

from runs.callbacks import Callback

if TYPE_CHECKING:
    from runs.callbacks._model_summary import Summary


class ModelSummary(Callback):
    """Prints the modules before the first step: the shapes that leave them, parameters, operations for one example."""

    depth: Annotated[int, Ge(1)] = 2  # levels of modules within modules

    _any_length_ = True

    def build(self) -> Summary:
        from runs.callbacks._model_summary import Summary

        return Summary(depth=self.depth)
