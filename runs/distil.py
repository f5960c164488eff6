"""python train.py run=distil teacher=vit/small teacher.depth=3 model=mlp"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from models import Model
from models.cnn import Cnn
from models.mlp import Mlp
from runs.default import Default

if TYPE_CHECKING:
    from torch import Tensor, nn


class Distil(Default):
    """A model that learns from a second one, which learns beside it (arXiv:1804.03235)."""

    model: Model = Mlp()
    teacher: Model = Cnn()
    weight: float = 0.5  # in [0, 1], of the teacher's view against the labels
    temperature: float = 2.0  # above 0; higher shows more of what the teacher thinks of the wrong classes

    def network(self, *, inputs: tuple[int, int, int], classes: int) -> nn.Module:
        from runs._loss import Taught

        student = self.model.build(inputs=inputs, classes=classes)
        return Taught(student, self.teacher.build(inputs=inputs, classes=classes))

    def loss(self) -> Callable[..., Tensor]:
        from runs._loss import Distillation

        return Distillation(weight=self.weight, temperature=self.temperature, label_smoothing=self.label_smoothing)

    def check(self) -> None:
        super().check()
        if not 0 <= self.weight <= 1:
            raise ValueError(f"weight is {self.weight}, and must be from 0 to 1")
        if not self.temperature > 0:
            raise ValueError(f"temperature is {self.temperature}, and must be above 0")
