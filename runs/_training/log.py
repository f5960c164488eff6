"""Metrics of the steps; their mean losses are read from the device one log later."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from cn import Diverged
from runs._training.state import Training
from runs.callbacks._hooks import Metrics, bind

if TYPE_CHECKING:
    from runs.logger._thread import Thread


class Later:
    """The metrics since the last log; their mean losses are copied from the device asynchronously."""

    def __init__(self, training: Training, on_log: list[Callable[..., None]]) -> None:
        self.training, total, parts = training, training.total, training.parts
        self.names, every = ("loss", *parts), training.run.log_every
        mean = torch.stack([total, *parts.values()]) / (training.step % every or every)
        if training.ranks.size > 1:
            training.ranks.mean(mean)
        self.losses = mean.to("cpu", non_blocking=True)
        self.ready = torch.cuda.Event() if total.is_cuda else None
        if self.ready is not None:
            self.ready.record()
        total.zero_()
        parts.clear()
        self.metrics: Metrics = {"step": training.step, "epoch": training.epoch}
        for hook in on_log:
            hook(training, self.metrics)

    def read(self) -> Metrics:
        if self.ready is not None:
            self.ready.synchronize()
        losses = dict(zip(self.names, map(float, self.losses.unbind()), strict=True))
        step, loss = self.metrics.pop("step"), losses["loss"]
        if not math.isfinite(loss):
            raise Diverged(f"the loss is {loss} in the steps up to {step}")
        self.training.loss = loss
        told = {f"train/{name}": value for name, value in losses.items()}
        return {"step": step, "epoch": self.metrics.pop("epoch"), **told, **self.metrics}


def report(later: Later | None, writer: Thread) -> None:
    """Write the metrics of an earlier log; Diverged if its loss is not finite."""
    if later is not None:
        writer.put(later.read())


def rest(training: Training) -> Later | None:
    """Return the metrics since the last log, if there were steps, because no further log comes."""
    return Later(training, bind(training.hooks, "on_log")) if training.step % training.run.log_every else None


def leave(training: Training, writer: Thread) -> None:
    """Write the metrics since the last log after the checkpoint, from which that log resumes."""
    if (later := rest(training)) is not None:
        writer.leave(later.read())
