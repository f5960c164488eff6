"""A shallow residual network that is fast on small images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from models import Model
from models._fields import positive

if TYPE_CHECKING:
    from models._resnet9 import ResNet9Net


class ResNet9(Model):
    """Eight convolutions and a linear layer, after D. Page's "How to train your ResNet" (2018, DAWNBench)."""

    width: int = 64  # channels of the first layer; each of the three stages doubles them
    scale: float = 0.125  # of the logits: small ones keep early losses even at high rates

    _needs = ("images",)

    def check(self) -> None:
        positive(width=self.width)
        if not 0 < self.scale < math.inf:
            raise ValueError(f"scale must be above 0 and finite, not {self.scale}")

    def build(self, *, inputs: tuple[int, int, int], classes: int) -> ResNet9Net:
        from models._resnet9 import ResNet9Net

        return ResNet9Net(inputs=inputs, classes=classes, width=self.width, scale=self.scale)
