"""Networks that map images to logits; `models/vit.py` is chosen by `model=vit`."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from cn import CN

if TYPE_CHECKING:
    from torch import nn


class Model(CN):
    """What every model promises; its sizes come from the data."""

    @abstractmethod
    def build(self, *, inputs: tuple[int, int, int], classes: int) -> nn.Module:
        """A network from images `b c h w` (inputs = c h w) to logits `b classes`."""
