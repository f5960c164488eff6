"""How the processes of one run share its work."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from cn import CN

if TYPE_CHECKING:
    import torch
    from torch import nn


class Parallel(CN):
    """Chosen by `parallel=ddp`; a run of one process asks nothing of it."""

    @abstractmethod
    def build(self, module: nn.Module, device: torch.device) -> nn.Module:
        """What is called in place of the module, with a `no_sync()` within which its gradients stay this process's."""
