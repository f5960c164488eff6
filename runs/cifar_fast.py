"""python train.py run=cifar_fast"""

from __future__ import annotations

from data import Data
from data.cifar import Cifar
from models import Model
from models.resnet9 import ResNet9
from runs import Run
from runs.callbacks import Callback
from runs.callbacks.ema import Ema
from runs.optim import Optim
from runs.optim.sgd import Sgd
from runs.schedule import Schedule
from runs.schedule.trapezoid import Trapezoid
from runs.task import Task
from runs.task.classify import Classify


class CifarFast(Run):
    """CIFAR-10 in few epochs, for one GPU, in the spirit of the published races to 94 %.

    After D. Page's "How to train your ResNet" (2018 and 2019, DAWNBench) and K. Jordan's "94% on CIFAR-10 in 3.29
    seconds on a single GPU" (2024, arXiv:2404.00498). They train on all 50 000 images, and this run on the 45 000
    that are not held out for validation. Its accuracy on CIFAR-10 has not been measured yet.
    """

    model: Model = ResNet9()
    data: Data = Cifar(batch_size=512, crop=4, flip=True, cutout=8)
    task: Task = Classify(label_smoothing=0.2)
    optim: Optim = Sgd(lr=0.4, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule: Schedule = Trapezoid(warmup=0.2, cooldown=0.8)  # a triangle
    callbacks: dict[str, Callback] = {"ema": Ema(decay=0.99)}
    epochs: int = 24  # passes over the training examples
    validate_every: int | float = 4  # epochs
