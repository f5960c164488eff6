"""Steps that a task takes itself: a loss may train a part of the network, and a step may minimise several losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cn import RunError
from cn.errors import hint
from runs._training.forward import Losses
from runs._training.state import Training
from runs._training.update import update
from runs.optim._several import Several


class Minimize:
    """`minimize(loss, "generator")`: one step of that optimiser, with gradients of its own parameters only."""

    def __init__(self, training: Training) -> None:
        self.training, optimizer = training, training.optimizer
        self.optimizers: dict[str, Optimizer] = optimizer.parts if isinstance(optimizer, Several) else {"": optimizer}
        self.trained: dict[str, list[nn.Parameter]] = {}
        for name, own in self.optimizers.items():
            its = {id(each) for group in own.param_groups for each in group["params"]}
            self.trained[name] = [each for each in training.module.parameters() if id(each) in its]

    def __call__(self, loss: Tensor, name: str = "") -> None:
        """loss: a scalar, the mean over this process's examples. RunError for an unknown optimiser."""
        training, optimizer = self.training, self._named(name)
        scaler, clip = training.scaler, training.run.clip
        for each in self.trained[name]:
            each.grad = None
        parameters = [each for each in self.trained[name] if each.requires_grad]  # a task may freeze some temporarily
        with torch.autocast(training.device.device.type, enabled=False):
            loss = loss / training.share
            (loss if scaler is None else scaler.scale(loss)).backward(inputs=parameters)
            if training.ranks.size > 1:
                self._average(parameters)
            update(optimizer, parameters, clip=clip, scaler=scaler)
        torch.clear_autocast_cache()  # which holds the weights in bf16 as they were before

    def own(self, count: int) -> int:
        """Return this process's part of a number that all processes share, at least 1."""
        ranks = self.training.ranks
        return max(1, len(range(ranks.rank, count, ranks.size)))

    def _named(self, name: str) -> Optimizer:
        if name not in self.optimizers:
            own, known = type(self.training.objective).__name__, [each for each in self.optimizers if each]
            what = f"{own}.step() minimises by an optimiser called {name!r}" if name else f"{own}.step() names none"
            has = f"it has: {', '.join(known)}" if known else "it has one, without a name: minimize(loss)"
            raise RunError(what, hint(name, known), has)
        return self.optimizers[name]

    def _average(self, parameters: list[nn.Parameter]) -> None:
        """All-reduce the gradients to their mean, one call per dtype."""
        own = [each.grad for each in parameters if each.grad is not None]
        for dtype in {each.dtype: None for each in own}:
            alike = [each for each in own if each.dtype is dtype]
            together = torch.cat([each.flatten() for each in alike])
            self.training.ranks.mean(together)
            for each, mean in zip(alike, together.split([each.numel() for each in alike]), strict=True):
                each.copy_(mean.view_as(each))


def own_step(training: Training) -> Callable[[Any], Losses]:
    """Return a function from a batch to its losses, which first lets the task take its step."""
    device, objective = training.device, training.objective
    minimize = Minimize(training)

    def step(batch: Any) -> Losses:
        with torch.autocast(device.device.type, device.autocast, enabled=device.autocast is not None):
            return objective.step(batch, minimize)

    return step
