"""From a batch to its loss: the network, compiled, shared by processes and in lower precision as the run has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from runs._training import Training


def forward(training: Training) -> Callable[[Tensor, Tensor], Tensor]:
    """From images `b c h w` and labels `b` to the loss: compiled and in lower precision where the run has it so."""
    run, accumulate = training.run, training.run.accumulate
    inner, exchange = training.module, None
    if training.ranks.size > 1:
        inner, exchange = run.parallel.build(training.module, training.device.device)
    network: Any = torch.compile(inner) if training.device.compiled else inner
    criterion = run.loss()
    taken = 0  # batches

    def alone(images: Tensor, labels: Tensor) -> Tensor:
        return criterion(network(images), labels)

    def together(images: Tensor, labels: Tensor) -> Tensor:
        nonlocal taken
        taken += 1
        assert exchange is not None
        exchange(taken % accumulate == 0)  # gradients are exchanged once a step
        return alone(images, labels)

    loss_of = alone if exchange is None else together
    if training.device.autocast is None:
        return loss_of
    return torch.autocast(training.device.device.type, training.device.autocast)(loss_of)
