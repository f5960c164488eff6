"""An exponential moving average of the network, stored in checkpoints as `average`."""
# pyright: standard, reportPrivateImportUsage=false
# (torch has its kernels for lists of tensors under private names alone)

from __future__ import annotations

import torch
from torch import Tensor

from cn import UserError
from runs._training.state import Training
from runs.callbacks._hooks import Hooks, address


class Average(Hooks):
    def __init__(self, *, decay: float) -> None:
        self.decay = decay

    def on_start(self, training: Training) -> None:
        several = [address(name) for name, each in training.hooks.items() if isinstance(each, Average)]
        if len(several) > 1:
            raise UserError(f"{' and '.join(several)} both average the weights: leave one out")
        if training.average is None:  # otherwise it was loaded from the checkpoint
            training.start_average()
        followers = [*training.evaluated.parameters(), *training.evaluated.buffers()]
        leaders = [*training.module.parameters(), *training.module.buffers()]
        alike: dict[tuple[bool, bool], tuple[list[Tensor], list[Tensor]]] = {}
        for follower, leader in zip(followers, leaders, strict=True):
            kind = _blends(follower), hasattr(follower, "full_tensor")  # a kernel takes no shards beside whole buffers
            for own, each in zip(alike.setdefault(kind, ([], [])), (follower, leader), strict=True):
                own.append(each)
        self.blended = [pair for (blends, _), pair in alike.items() if blends]
        self.copied = [pair for (blends, _), pair in alike.items() if not blends]

    @torch.no_grad()
    def on_step(self, training: Training) -> None:
        decay = min(self.decay, (1 + training.step) / (10 + training.step))
        for averages, weights in self.blended:
            torch._foreach_lerp_(averages, weights, 1 - decay)  # one kernel for all
        for copies, originals in self.copied:
            torch._foreach_copy_(copies, originals)


def _blends(tensor: Tensor) -> bool:
    """Return whether a tensor can be averaged: not counters, and not masks with infinities."""
    return tensor.is_floating_point() and bool(tensor.isfinite().all())
