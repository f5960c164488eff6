"""python train.py callbacks=progress callbacks.progress.every=30"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt

from runs.callbacks import Callback

if TYPE_CHECKING:
    from runs.callbacks._progress import Pace


class Progress(Callback):
    """Says how far the run is, where no terminal shows a bar; writes examples a second to the metrics."""

    every: Annotated[float, Gt(0)] = 60.0  # seconds from one line to the next

    def build(self) -> Pace:
        from runs.callbacks._progress import Pace

        return Pace(every=self.every)
