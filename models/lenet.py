"""LeNet-5, for images of any size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import Model
from models._fields import Activation, Size, kernel_fits

if TYPE_CHECKING:
    from torch import nn


class LeNet(Model):
    """LeNet-5 (LeCun et al. 1998), with max pooling, and padded so that 8 x 8 pixels are enough."""

    kernel_size: Size = 5  # pixels, of both convolutions
    activation: Activation = "tanh"

    _needs = ("images",)

    def build(self, *, inputs: tuple[int, int, int], classes: int) -> nn.Sequential:
        kernel_fits(type(self).__name__, self.kernel_size, inputs)
        from torch import nn

        from models._layers import ACTIVATIONS, fully_connected

        channels, height, width = inputs
        layers: list[nn.Module] = []
        for features in (6, 16):
            layers += [
                nn.Conv2d(channels, features, self.kernel_size, padding=self.kernel_size // 2),
                ACTIVATIONS[self.activation](),
                nn.MaxPool2d(2, ceil_mode=True),
            ]
            channels = features
            even = 1 - self.kernel_size % 2  # an even kernel adds a pixel per side
            height, width = (height + even + 1) // 2, (width + even + 1) // 2
        tail = fully_connected(
            inputs=(channels, height, width),
            hidden=(120, 84),
            classes=classes,
            activation=self.activation,
        )
        return nn.Sequential(*layers, *tail)
