"""python train.py logger=tensorboard"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runs.logger import Logger

if TYPE_CHECKING:
    from runs.logger._tensorboard import TensorboardWriter


class Tensorboard(Logger):
    """TensorBoard's event files, in the run's folder; to see all runs: tensorboard --logdir outputs"""

    def packages(self) -> tuple[str, ...]:
        return ("tensorboard",)

    def build(self, folder: Path) -> TensorboardWriter:
        from runs.logger._tensorboard import TensorboardWriter

        return TensorboardWriter(folder)
