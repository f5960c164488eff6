"""A fully convolutional network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import Model
from models._fields import Activation, Size, Sizes, kernel_fits

if TYPE_CHECKING:
    from torch import nn


class Fcnn(Model):
    """Convolutions alone: the last gives one map for each class, and its mean is the logit."""

    widths: Sizes = (32, 64, 128)  # channels of each layer; all but the first halve h, w
    kernel_size: Size = 3  # pixels
    activation: Activation = "relu"

    _needs = ("images",)

    def build(self, *, inputs: tuple[int, int, int], classes: int) -> nn.Sequential:
        kernel_fits(type(self).__name__, self.kernel_size, inputs)
        from einops.layers.torch import Reduce
        from torch import nn

        from models._layers import ACTIVATIONS, conv_norm

        channels, stride = inputs[0], 1
        layers: list[nn.Module] = []
        for width in self.widths:
            layers.append(conv_norm(channels, width, kernel_size=self.kernel_size, stride=stride))
            layers.append(ACTIVATIONS[self.activation]())
            channels, stride = width, 2
        return nn.Sequential(*layers, nn.Conv2d(channels, classes, 1), Reduce("b classes h w -> b classes", "mean"))
