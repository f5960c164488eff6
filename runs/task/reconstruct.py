"""python train.py task=reconstruct model=autoencoder"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cn.run_folder.watched import Watched
from models import Model
from runs.task import Task, minimize

if TYPE_CHECKING:
    from data import Dataset
    from runs.task._reconstruct import Reconstruction


class Reconstruct(Task):
    """Each image from itself, through whatever is narrow in the model; labels are not looked at."""

    _needs = ("images",)
    _any_length_ = True

    def goal(self) -> tuple[Watched, ...]:
        return (minimize("loss"),)

    def build(self, *, model: Model, data: Dataset) -> Reconstruction:
        from runs.task._reconstruct import Reconstruction

        network = model.build(inputs=data.inputs, classes=math.prod(data.inputs))
        return Reconstruction(network, inputs=data.inputs, pixels=data.pixels)
