"""python train.py run=gan"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge

from cn.run_folder.watched import Watched
from models import Model
from models.mlp import Mlp
from runs.optim import Optim
from runs.optim.adam import Adam
from runs.schedule import Schedule
from runs.task import Task, minimize

if TYPE_CHECKING:
    from data import Dataset
    from runs.task._gan import Adversarial


class Gan(Task):
    """Images like those of the data, from noise (Goodfellow et al. 2014, arXiv:1406.2661).

    The run's model is the generator, and its optimiser the generator's. A step trains the discriminator, then it.
    """

    discriminator: Model = Mlp(hidden_sizes=(128, 128))
    discriminator_optim: Optim = Adam(lr=1e-3, betas=(0.5, 0.999))
    discriminator_schedule: Schedule | None = None  # null: the run's
    latent: Annotated[int, Ge(1)] = 32  # numbers in the noise of an image

    _needs = ("images",)
    _feeds = ("noise",)

    def goal(self) -> tuple[Watched, ...]:
        return (minimize("frechet_distance"),)

    def build(self, *, model: Model, data: Dataset) -> Adversarial:
        from runs.task._gan import Adversarial, Players

        generator = model.build(inputs=(self.latent,), classes=math.prod(data.inputs))
        return Adversarial(
            Players(generator, self.discriminator.build(inputs=data.inputs, classes=1), data.inputs),
            latent=self.latent,
            optim=self.discriminator_optim,
            schedule=self.discriminator_schedule,
            pixels=data.pixels,
        )
