"""Parallelism: how the processes of one run share its work."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from cn import CN

if TYPE_CHECKING:
    import torch
    from torch import nn

    from runs._processes.shards import Shards


class Parallel(CN):
    """Chosen by `parallel=ddp`; a run of one process asks nothing of it."""

    _whole: ClassVar[bool] = True  # whether each process holds all weights

    def shard(self, module: nn.Module, device: torch.device) -> Shards | None:
        """Shard the weights before the optimiser is built; return the shards, or None if weights stay whole."""
        return None

    @abstractmethod
    def build(self, module: nn.Module, device: torch.device) -> tuple[nn.Module, Callable[[bool], None]]:
        """Return the module to call, and a function called before each forward pass with whether it is a step's last.

        After the last forward pass gradients are averaged over the processes; before it they stay local.
        """
