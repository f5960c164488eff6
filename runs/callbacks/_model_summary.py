"""One forward pass of a single image, watched."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from cn.multirun import table
from runs._training import Training
from runs.callbacks._hooks import Hooks


class Summary(Hooks):
    def __init__(self, *, depth: int) -> None:
        self.depth = depth

    def on_start(self, training: Training) -> None:
        training.say(summarize(training.module, training.dataset.validation.batch(training.first)[0], depth=self.depth))


def summarize(module: nn.Module, images: Tensor, *, depth: int) -> str:
    """A table of the modules down to `depth`: name, class, output shape for `images`, parameters."""
    rows: list[list[str]] = []
    handles = [
        each.register_forward_hook(_note(name or "(all)", rows))
        for name, each in module.named_modules()
        if name.count(".") < depth
    ]
    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            module(images)
    finally:
        module.train(training)
        for handle in handles:
            handle.remove()
    order = [name or "(all)" for name, _ in module.named_modules()]
    return table(["module", "class", "output", "parameters"], sorted(rows, key=lambda row: order.index(row[0])))


def _note(name: str, rows: list[list[str]]) -> Any:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        shape = " ".join(map(str, output.shape)) if isinstance(output, Tensor) else ""
        parameters = sum(each.numel() for each in module.parameters())
        if [name] not in [row[:1] for row in rows]:
            rows.append([name, type(module).__name__, shape, f"{parameters:,}".replace(",", " ")])

    return hook
