"""python train.py launch.gpus=4 parallel=ddp"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs.parallel import Parallel

if TYPE_CHECKING:
    import torch
    from torch import nn


class Ddp(Parallel):
    """Each process holds the whole model; gradients are averaged while the backward pass still runs."""

    def build(self, module: nn.Module, device: torch.device) -> nn.Module:
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(module, device_ids=[device] if device.type == "cuda" else None)
