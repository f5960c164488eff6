"""A multi-layer perceptron, each hidden layer as wide as you say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import Model
from models._fields import Activation, Size

if TYPE_CHECKING:
    from torch import nn


class Mlp(Model):
    """Two hidden layers of 128 units by default: 118 282 parameters on MNIST."""

    hidden_sizes: tuple[Size, ...] = (128, 128)  # units of each hidden layer
    activation: Activation = "relu"  # after each hidden layer

    def build(self, *, inputs: tuple[int, ...], classes: int) -> nn.Sequential:
        from models._layers import fully_connected

        return fully_connected(inputs=inputs, hidden=self.hidden_sizes, classes=classes, activation=self.activation)
