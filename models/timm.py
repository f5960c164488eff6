"""python train.py model=timm model.name=resnet34"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import Model
from models._fields import Probability

if TYPE_CHECKING:
    from torch import nn


class Timm(Model):
    """A published architecture, by its name in the library timm; its first layer and its head are made for the data.

    Nothing is downloaded. Its weights are new; `init=FILE` begins from published ones that you have.
    """

    name: str = "resnet18"  # python -c "import timm; print(*timm.list_models())" prints them all
    dropout: Probability = 0.0  # of the features before the head

    _needs = ("images",)

    def packages(self) -> tuple[str, ...]:
        return ("timm",)

    def build(self, *, inputs: tuple[int, int, int], classes: int) -> nn.Module:
        """Return the network. Raises UserError for an unknown name, and for images that it does not support."""
        from models._timm import create

        return create(self.name, inputs=inputs, classes=classes, dropout=self.dropout)
