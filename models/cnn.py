"""A small convolutional network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import Model
from models._fields import Activation, Sizes

if TYPE_CHECKING:
    from torch import nn


class Cnn(Model):
    """3 x 3 convolutions, each with batch norm and pooling, then one linear layer."""

    widths: Sizes = (16, 32, 64)  # channels of each layer; each halves h and w
    activation: Activation = "relu"

    _needs = ("images",)

    def build(self, *, inputs: tuple[int, int, int], classes: int) -> nn.Sequential:
        from torch import nn

        from models._layers import ACTIVATIONS, conv_norm, fully_connected

        channels, height, width = inputs
        layers: list[nn.Module] = []
        for features in self.widths:
            layers += [
                conv_norm(channels, features),
                ACTIVATIONS[self.activation](),
                nn.MaxPool2d(2, ceil_mode=True),
            ]
            channels, height, width = features, (height + 1) // 2, (width + 1) // 2
        tail = fully_connected(inputs=(channels, height, width), hidden=(), classes=classes)
        return nn.Sequential(*layers, *tail)
