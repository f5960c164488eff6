"""python train.py task=reconstruct model=autoencoder model.code=4"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import Model
from models._fields import Activation, Size

if TYPE_CHECKING:
    from torch import nn


class Autoencoder(Model):
    """Fully connected layers down to a few units and up again (Hinton and Salakhutdinov 2006)."""

    hidden_sizes: tuple[Size, ...] = (128, 64)  # units of each layer on the way down; the way up mirrors them
    code: Size = 16  # units in the middle
    activation: Activation = "relu"  # after each hidden layer

    def build(self, *, inputs: tuple[int, ...], classes: int) -> nn.Sequential:
        from torch import nn

        from models._layers import fully_connected

        encoder = fully_connected(
            inputs=inputs, hidden=self.hidden_sizes, classes=self.code, activation=self.activation
        )
        decoder = fully_connected(
            inputs=(self.code,), hidden=self.hidden_sizes[::-1], classes=classes, activation=self.activation
        )
        return nn.Sequential(encoder, decoder)
