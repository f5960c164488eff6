"""Three hidden layers with batch norm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import Model
from models._fields import Size

if TYPE_CHECKING:
    from torch import nn


class Dense(Model):
    """On MNIST 784-64-128-64-10, batch norm after each hidden layer: 67 978 parameters."""

    lin1_size: Size = 64  # units
    lin2_size: Size = 128  # units
    lin3_size: Size = 64  # units

    def build(self, *, inputs: tuple[int, ...], classes: int) -> nn.Sequential:
        from models._layers import fully_connected

        return fully_connected(
            inputs=inputs,
            hidden=(self.lin1_size, self.lin2_size, self.lin3_size),
            classes=classes,
            batch_norm=True,
        )
