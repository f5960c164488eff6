"""python train.py run=distil teacher=vit/small teacher.depth=3 model=mlp"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Le

from cn import derive
from models import Model
from runs.task.classify import Classify

if TYPE_CHECKING:
    from data import Dataset
    from runs.task._distil import Distillation


class Distil(Classify):
    """Classes, learnt from the labels and from a second model, which learns beside the first (arXiv:1804.03235)."""

    teacher: Model = derive(lambda run: run.teacher)  # without a value: the run's own `teacher`
    weight: Annotated[float, Ge(0), Le(1)] = 0.5  # of the teacher's view against the labels
    temperature: Annotated[float, Gt(0)] = 2.0  # higher shows more of what the teacher thinks of the wrong classes

    _any_length_ = True

    def build(self, *, model: Model, data: Dataset) -> Distillation:
        from runs.task._distil import Distillation, Taught

        self.refuse(data)
        student, teacher = (each.build(inputs=data.inputs, classes=len(data.classes)) for each in (model, self.teacher))
        return Distillation(
            Taught(student, teacher),
            classes=data.classes,
            pixels=data.pixels,
            label_smoothing=self.label_smoothing,
            mixup=self.mixup,
            cutmix=self.cutmix,
            weight=self.weight,
            temperature=self.temperature,
        )
