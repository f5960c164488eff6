"""python train.py run=cifar_vit"""

from __future__ import annotations

from data import Data
from data.cifar import Cifar
from models import Model
from models.vit import ViT
from runs import Run
from runs.optim import Optim
from runs.optim.adamw import AdamW
from runs.schedule import Schedule
from runs.schedule.cosine import Cosine
from runs.task import Task
from runs.task.classify import Classify


class CifarViT(Run):
    """A vision transformer from scratch on CIFAR-10, for one GPU."""

    model: Model = ViT(depth=12)
    data: Data = Cifar(batch_size=512, crop=4, flip=True, cutout=8)
    task: Task = Classify(label_smoothing=0.1)
    optim: Optim = AdamW(lr=1e-3, weight_decay=0.05)
    schedule: Schedule = Cosine()
    epochs: int = 200  # passes over the training examples
    clip: float | None = 1.0  # largest norm of the gradient over all parameters
