"""python train.py task=regress data=diabetes model=mlp"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from cn.run_folder.watched import Watched
from models import Model
from runs.task import Task, minimize

if TYPE_CHECKING:
    from data import Dataset
    from runs.task._regress import Regression


class Regress(Task):
    """Numbers for each example; the root mean squared and mean absolute errors are in each target's own unit."""

    loss: Literal["squared", "absolute", "huber"] = "squared"  # of targets scaled to deviation 1

    _needs = ("targets",)
    _any_length_ = True

    def goal(self) -> tuple[Watched, ...]:
        return (minimize("loss"),)

    def build(self, *, model: Model, data: Dataset) -> Regression:
        from runs.task._regress import Regression

        network = model.build(inputs=data.inputs, classes=len(data.targets))
        return Regression(network, targets=len(data.targets), unit=data.unit, loss=self.loss)
