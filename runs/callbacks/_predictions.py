"""Has the task show what the network makes of the first validation examples."""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image

from cn import UserError
from cn.errors import lines
from runs._training import Training
from runs.callbacks._hooks import Hooks, Metrics


class Shown(Hooks):
    adds = False

    def on_start(self, training: Training) -> None:
        if self._picture(training) is None:
            name, run = training.name_of(self), training.run
            what = f"{name}: {type(run.task).__name__} has no picture to show of {type(run.data).__name__}"
            raise UserError(lines(what, f"leave it out: ~{name}"))

    def on_validation(self, training: Training, metrics: Metrics) -> None:
        picture = self._picture(training)
        if not training.ranks.first:
            return
        folder = training.folder / "predictions"
        folder.mkdir(exist_ok=True)
        Image.fromarray(picture).save(folder / f"{training.step:06d}.png")
        training.show("predictions", picture, training.step)

    @torch.no_grad()
    def _picture(self, training: Training) -> Any:
        split = training.dataset.validation
        count = min(training.objective.looks_at, len(split))
        first = torch.arange(count, device=training.device.device)
        training.evaluated.eval()
        return training.objective.show(training.predict, split.batch(first))
