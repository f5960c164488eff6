"""A shallow residual network that is fast on small images."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt, Lt

from models import Model
from models._fields import Size

if TYPE_CHECKING:
    from models._resnet9 import ResNet9Net


class ResNet9(Model):
    """Eight convolutions and a linear layer, after D. Page's "How to train your ResNet" (2018, DAWNBench)."""

    width: Size = 64  # channels of the first layer; each of the three stages doubles them
    scale: Annotated[float, Gt(0), Lt(inf)] = 0.125  # of the logits: small ones keep early losses even at high rates

    _needs = ("images",)

    def build(self, *, inputs: tuple[int, int, int], classes: int) -> ResNet9Net:
        from models._resnet9 import ResNet9Net

        return ResNet9Net(inputs=inputs, classes=classes, width=self.width, scale=self.scale)
