"""python train.py task=classify task.label_smoothing=0.1"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import Model
from runs._watched import Watched
from runs.task import Task, maximize, minimize

if TYPE_CHECKING:
    from data import Dataset
    from runs.task._classify import Classification


class Classify(Task):
    """One class for each example, by cross entropy."""

    label_smoothing: float = 0.0  # in [0, 1), of the training loss alone

    _needs = ("classes",)

    def goal(self) -> tuple[Watched, ...]:
        return maximize("accuracy"), minimize("loss")

    def build(self, *, model: Model, data: Dataset) -> Classification:
        from runs.task._classify import Classification

        return Classification(
            model.build(inputs=data.inputs, classes=len(data.classes)),
            classes=data.classes,
            pixels=data.pixels,
            label_smoothing=self.label_smoothing,
        )

    def check(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing is {self.label_smoothing}, and must be at least 0 and below 1")
