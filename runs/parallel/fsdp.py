"""python train.py launch.processes=4 parallel=fsdp"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from runs.parallel import Parallel

if TYPE_CHECKING:
    import torch
    from torch import nn

    from runs._processes.shards import Shards


class Fsdp(Parallel):
    """Each process keeps a part of the weights, gradients and optimiser; a block's come together while it computes.

    The result is that of ddp. Blocks are the modules of one class that stand in a list. With `accumulate` each process
    holds all gradients until the last batch of a step. Checkpoints are folders, which any number of processes reads.
    """

    _whole = False

    def shard(self, module: nn.Module, device: torch.device) -> Shards:
        from runs._processes.shards import Shards
        from runs.parallel._fsdp import shard, twin

        blank = twin(module)
        shard(module, device)
        return Shards(blank, lambda other: shard(other, device))

    def build(self, module: nn.Module, device: torch.device) -> tuple[nn.Module, Callable[[bool], None]]:
        from runs.parallel._fsdp import exchange

        return module, exchange(module)
