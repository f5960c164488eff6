"""Fully connected layers of one width, as many as you say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import Model
from models._fields import Activation, positive, probability

if TYPE_CHECKING:
    from torch import nn


class Fcn(Model):
    """A fully connected network whose hidden layers are all alike."""

    num_hidden: int = 2  # hidden layers; 0 leaves one linear layer
    hidden_dim: int = 128  # units of each hidden layer
    activation: Activation = "relu"  # after each hidden layer
    dropout: float = 0.0  # in [0, 1), after each activation

    def check(self) -> None:
        if self.num_hidden < 0:
            raise ValueError(f"num_hidden must be at least 0, a single linear layer, not {self.num_hidden}")
        positive(hidden_dim=self.hidden_dim)
        probability(dropout=self.dropout)

    def build(self, *, inputs: tuple[int, ...], classes: int) -> nn.Sequential:
        from models._layers import fully_connected

        return fully_connected(
            inputs=inputs,
            hidden=[self.hidden_dim] * self.num_hidden,
            classes=classes,
            activation=self.activation,
            dropout=self.dropout,
        )
