"""python train.py task=segment data=shapes model=unet"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cn.run_folder.watched import Watched
from models import Model
from runs.task import Task, maximize, minimize

if TYPE_CHECKING:
    from data import Dataset
    from runs.task._segment import Segmentation


class Segment(Task):
    """A class for each pixel, by cross entropy; the mean IoU is over all pixels of a split at once."""

    _needs = ("images", "masks")
    _takes = "maps"
    _any_length_ = True

    def goal(self) -> tuple[Watched, ...]:
        return maximize("mean_iou"), minimize("loss")

    def build(self, *, model: Model, data: Dataset) -> Segmentation:
        from runs.task._segment import Segmentation

        network = model.build(inputs=data.inputs, classes=len(data.classes))
        return Segmentation(network, classes=data.classes, size=data.inputs[1:], pixels=data.pixels)
