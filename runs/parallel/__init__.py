"""How the processes of one run share its work."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from cn import CN

if TYPE_CHECKING:
    import torch
    from torch import nn

    from runs._shards import Shards


class Parallel(CN):
    """Chosen by `parallel=ddp`; a run of one process asks nothing of it."""

    _whole: ClassVar[bool] = True  # whether each process holds all of the weights

    def shard(self, module: nn.Module, device: torch.device) -> Shards | None:
        """Called before the optimiser is built; where it leaves each process a part of the weights, what they share."""
        return None

    @abstractmethod
    def build(self, module: nn.Module, device: torch.device) -> tuple[nn.Module, Callable[[bool], None]]:
        """What is called in place of the module, and what hears before each forward pass whether it is a step's last.

        After the last one gradients are averaged over the processes; before it they stay this process's.
        """
