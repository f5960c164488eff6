"""ResNet-18 for small images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import Model
from models._fields import Size

if TYPE_CHECKING:
    from models._resnet18 import ResNet18Net


class ResNet18(Model):
    """ResNet-18 (He et al. 2016, arXiv:1512.03385) for CIFAR: a 3 x 3 stem without pooling."""

    width: Size = 64  # channels of the first stage; each of the other three doubles them

    _needs = ("images",)

    def build(self, *, inputs: tuple[int, int, int], classes: int) -> ResNet18Net:
        from models._resnet18 import ResNet18Net

        return ResNet18Net(inputs=inputs, classes=classes, width=self.width)
