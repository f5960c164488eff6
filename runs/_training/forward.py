"""From a batch to its loss: the network, compiled, data-parallel and under autocast as the run configures it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from runs._training.state import Training

Losses = Tensor | dict[str, Tensor]


def forward(training: Training) -> Callable[[Any], Losses]:
    """Return a function from a batch to the mean loss over its examples, or to several losses by name."""
    run, accumulate = training.run, training.run.accumulate
    inner, exchange = training.module, None
    if training.ranks.size > 1:
        inner, exchange = run.parallel.build(training.module, training.device.device)
    network: Any = torch.compile(inner) if training.device.compiled else inner
    loss_of: Callable[[Any], Losses] = partial(training.objective.loss, network)
    if exchange is not None:
        loss_of = _exchanging(loss_of, exchange, accumulate)
    if training.device.autocast is None:
        return loss_of
    return torch.autocast(training.device.device.type, training.device.autocast)(loss_of)


def _exchanging(
    loss_of: Callable[[Any], Losses], exchange: Callable[[bool], object], accumulate: int
) -> Callable[[Any], Losses]:
    """Return the loss function with gradient synchronization only in the last batch of each step."""
    taken = 0  # batches so far

    def together(batch: Any) -> Losses:
        nonlocal taken
        taken += 1
        exchange(taken % accumulate == 0)
        return loss_of(batch)

    return together
