"""python train.py model=timm model.name=resnet34"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import Model
from models._fields import probability

if TYPE_CHECKING:
    from torch import nn


class Timm(Model):
    """A published architecture, by its name in the library timm; its first layer and its head are made for the data.

    Nothing is downloaded. Its weights are new; `init=FILE` begins from published ones that you have.
    """

    name: str = "resnet18"  # python -c "import timm; print(*timm.list_models())" prints them all
    dropout: float = 0.0  # in [0, 1), of the features before the head

    _needs = ("images",)

    def packages(self) -> tuple[str, ...]:
        return ("timm",)

    def check(self) -> None:
        probability(dropout=self.dropout)

    def build(self, *, inputs: tuple[int, int, int], classes: int) -> nn.Module:
        """The network. Raises UserError for a name that timm does not know, and for images that do not fit it."""
        from models._timm import create

        return create(self.name, inputs=inputs, classes=classes, dropout=self.dropout)
