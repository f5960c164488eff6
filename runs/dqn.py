"""python train.py run=dqn"""

from __future__ import annotations

from typing import Literal

from data import Data
from data.cartpole import CartPole
from models import Model
from models.mlp import Mlp
from runs import Run
from runs.optim import Optim
from runs.optim.adam import Adam
from runs.schedule import Schedule
from runs.schedule.cosine import Cosine
from runs.task import Task
from runs.task import dqn as tasks


class Dqn(Run):
    """A cart learns to keep a pole up: 500 pushes with seeds 1, 2 and 3; with pushes at random it falls after 22."""

    model: Model = Mlp(hidden_sizes=(128, 128))
    data: Data = CartPole()
    task: Task = tasks.Dqn()
    optim: Optim = Adam(lr=1e-3)
    schedule: Schedule = Cosine()
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "fp32"  # bf16 rounds values near 100 to halves: actions tie
    clip: float | None = 10.0  # largest norm of the gradient over all parameters
    steps: int | None = 6000  # optimiser steps
    validate_steps: int | None = 500  # optimiser steps
    log_every: int = 100  # optimiser steps
