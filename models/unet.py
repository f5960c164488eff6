"""python train.py task=segment data=shapes model=unet"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import Model
from models._fields import Sizes

if TYPE_CHECKING:
    from torch import nn


class UNet(Model):
    """A map of logits for each class, as large as the image (Ronneberger et al. 2015, arXiv:1505.04597)."""

    widths: Sizes = (16, 32, 64)  # channels of each level; each but the first halves h and w

    _needs = ("images",)
    _gives = "maps"

    def build(self, *, inputs: tuple[int, int, int], classes: int) -> nn.Module:
        from models._unet import UNetwork

        return UNetwork(channels=inputs[0], widths=self.widths, classes=classes)
