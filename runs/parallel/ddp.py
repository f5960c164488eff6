"""python train.py launch.processes=4 parallel=ddp"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from runs.parallel import Parallel

if TYPE_CHECKING:
    import torch
    from torch import nn


class Ddp(Parallel):
    """Each process holds the whole model; gradients are averaged while the backward pass still runs."""

    def build(self, module: nn.Module, device: torch.device) -> tuple[nn.Module, Callable[[bool], None]]:
        from torch.nn.parallel import DistributedDataParallel

        shared = DistributedDataParallel(module, device_ids=[device] if device.type == "cuda" else None)

        def exchange(last: bool) -> None:
            shared.require_backward_grad_sync = last  # as no_sync() does

        return shared, exchange
