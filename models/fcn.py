"""Fully connected layers of one width, as many as you say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge

from models import Model
from models._fields import Activation, Probability, Size

if TYPE_CHECKING:
    from torch import nn


class Fcn(Model):
    """A fully connected network whose hidden layers are all alike."""

    num_hidden: Annotated[int, Ge(0)] = 2  # hidden layers; 0 leaves one linear layer
    hidden_dim: Size = 128  # units of each hidden layer
    activation: Activation = "relu"  # after each hidden layer
    dropout: Probability = 0.0  # after each activation

    def build(self, *, inputs: tuple[int, ...], classes: int) -> nn.Sequential:
        from models._layers import fully_connected

        return fully_connected(
            inputs=inputs,
            hidden=[self.hidden_dim] * self.num_hidden,
            classes=classes,
            activation=self.activation,
            dropout=self.dropout,
        )
