"""python train.py logger=wandb"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import MinLen

from runs.logger import Logger

if TYPE_CHECKING:
    from runs.logger._wandb import WandbWriter


class Wandb(Logger):
    """A run in Weights & Biases; what was logged offline is sent by: wandb sync outputs/RUN/wandb/offline-run-*"""

    mode: Literal["offline", "online"] = "offline"  # online: sent at once, by whoever did wandb login
    project: Annotated[str, MinLen(1)] = "cn"  # that the run is listed under
    entity: str | None = None  # user or team that the project belongs to; null: whoever is logged in

    def packages(self) -> tuple[str, ...]:
        return ("wandb",)

    def build(self, folder: Path) -> WandbWriter:
        from runs.logger._wandb import WandbWriter

        return WandbWriter(folder, mode=self.mode, project=self.project, entity=self.entity)
