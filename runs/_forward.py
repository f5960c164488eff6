"""From a batch to its loss: the network, compiled, shared by processes and in lower precision as the run has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from runs._training import Training


def forward(training: Training) -> Callable[[Any], Tensor]:
    """From a batch to the loss: compiled and in lower precision where the run has it so."""
    run, accumulate = training.run, training.run.accumulate
    inner, exchange = training.module, None
    if training.ranks.size > 1:
        inner, exchange = run.parallel.build(training.module, training.device.device)
    network: Any = torch.compile(inner) if training.device.compiled else inner
    loss_of_batch: Callable[[Any, Any], Any] = training.objective.loss
    parts = training.parts
    share = training.share
    taken = 0  # batches

    def alone(batch: Any) -> Tensor:
        loss: Any = loss_of_batch(network, batch)
        if loss.__class__ is dict:
            for name, each in loss.items():
                if name != "loss":
                    total = each.detach() / share
                    parts[name] = parts[name] + total if name in parts else total
            loss = loss["loss"]
        return loss if share == 1 else loss / share

    def together(batch: Any) -> Tensor:
        nonlocal taken
        taken += 1
        assert exchange is not None
        exchange(taken % accumulate == 0)  # gradients are exchanged once a step
        return alone(batch)

    loss_of = alone if exchange is None else together
    if training.device.autocast is None:
        return loss_of
    return torch.autocast(training.device.device.type, training.device.autocast)(loss_of)
