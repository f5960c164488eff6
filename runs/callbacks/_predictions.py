"""Shows the network's predictions for the first validation examples, as the task draws them."""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image

from cn import UserError
from runs._training.state import Training
from runs.callbacks._hooks import Hooks, Metrics


class Shown(Hooks):
    adds = False

    def on_start(self, training: Training) -> None:
        if self._shown(training) is None:
            name, run = training.name_of(self), training.run
            what = f"{name}: {type(run.task).__name__} has nothing to show of {type(run.data).__name__}"
            raise UserError(what, f"leave it out: ~{name}")

    def on_validation(self, training: Training, metrics: Metrics) -> None:
        shown = self._shown(training)
        if not training.ranks.first:
            return
        folder = training.folder / "predictions"
        folder.mkdir(exist_ok=True)
        if isinstance(shown, str):
            (folder / f"{training.step:06d}.txt").write_text(shown)
            training.say(shown)
        else:
            Image.fromarray(shown).save(folder / f"{training.step:06d}.png")
        training.show("predictions", shown, training.step)

    @torch.no_grad()
    def _shown(self, training: Training) -> Any:
        split = training.dataset.validation
        count = min(training.objective.looks_at, len(split))
        first = torch.arange(count, device=training.device.device)
        training.evaluated.eval()
        return training.objective.show(training.predict, split.batch(first))
