"""python train.py run=good_run model.activation=gelu"""

from __future__ import annotations

from data import Data
from data.digits import Digits
from models import Model
from models.lenet import LeNet
from runs import Run
from runs.optim import Optim
from runs.optim.adamw import AdamW
from runs.schedule import Schedule
from runs.schedule.trapezoid import Trapezoid


class GoodRun(Run):
    """A small convolutional network with a schedule that does not need to know how long it will be."""

    model: Model = LeNet()
    data: Data = Digits(batch_size=32)
    optim: Optim = AdamW(lr=2e-3)
    schedule: Schedule = Trapezoid()
    epochs: int = 25  # passes over the training examples
