"""python train.py task=classify task.label_smoothing=0.1 task.mixup=0.2"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Lt

from cn import Neutral, UserError
from cn.run_folder.watched import Watched
from models import Model
from runs.task import Task, maximize, minimize

if TYPE_CHECKING:
    from data import Dataset
    from runs.task._classify import Classification

Alpha = Annotated[float, Ge(0), Lt(inf), Neutral()]


class Classify(Task):
    """One class for each example, by cross entropy."""

    label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0  # of the training loss alone
    mixup: Alpha = 0.0  # alpha of a Beta distribution, 0: off; two images are blended in training (arXiv:1710.09412)
    cutmix: Alpha = 0.0  # the same; a window is another image's (arXiv:1905.04899); with both, a coin for each batch

    _needs = ("classes",)
    _any_length_ = True

    def goal(self) -> tuple[Watched, ...]:
        return maximize("accuracy"), minimize("loss")

    def build(self, *, model: Model, data: Dataset) -> Classification:
        from runs.task._classify import Classification

        self.refuse(data)
        return Classification(
            model.build(inputs=data.inputs, classes=len(data.classes)),
            classes=data.classes,
            pixels=data.pixels,
            label_smoothing=self.label_smoothing,
            mixup=self.mixup,
            cutmix=self.cutmix,
        )

    def refuse(self, data: Dataset) -> None:
        """Raise UserError if cutmix is on and examples are no images."""
        if self.cutmix and len(data.inputs) != 3:
            shape = "x".join(map(str, data.inputs))
            what = f"task.cutmix is {self.cutmix}, and takes images (three sizes), where an example here is {shape}"
            raise UserError(what, f"nearest: task.cutmix=0 task.mixup={self.cutmix}")
