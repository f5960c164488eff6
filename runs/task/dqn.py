"""python train.py run=dqn"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import Model
from runs._watched import Watched
from runs.task import Task, maximize

if TYPE_CHECKING:
    from data import Dataset
    from runs.task._dqn import QLearning


class Dqn(Task):
    """How to act, learnt by acting (Mnih et al. 2015, doi:10.1038/nature14236; double: van Hasselt et al. 2016).

    In each step every episode goes on by one action, and the network learns from what it remembers.
    """

    discount: float = 0.99  # of what comes one action later, in [0, 1)
    memory: int = 50_000  # actions that are remembered, with what came of them
    sample: int = 256  # of them, in each step
    explore: int = 1000  # steps, at least 1, in which the fraction of actions at random falls from 1 to `random`
    random: float = 0.05  # fraction of actions, in [0, 1]
    follow: float = 0.01  # part of the way, in (0, 1], that the target network goes to the other in each step

    _needs = ("states", "actions")

    def check(self) -> None:
        if not 0 <= self.discount < 1:
            raise ValueError(f"discount is {self.discount}, and must be at least 0 and below 1")
        for name in ("memory", "sample", "explore"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, and must be at least 1")
        if not 0 < self.follow <= 1:
            raise ValueError(f"follow is {self.follow}, and must be above 0 and at most 1")
        if not 0 <= self.random <= 1:
            raise ValueError(f"random is {self.random}, and must be from 0 to 1")

    def goal(self) -> tuple[Watched, ...]:
        return (maximize("return"),)

    def build(self, *, model: Model, data: Dataset) -> QLearning:
        from runs.task._dqn import QLearning, Values

        networks = [model.build(inputs=data.inputs, classes=len(data.classes)) for _ in range(2)]
        return QLearning(
            Values(*networks, scale=data.world.scale),
            world=data.world,
            actions=len(data.classes),
            discount=self.discount,
            memory=self.memory,
            sample=self.sample,
            explore=self.explore,
            random=self.random,
            follow=self.follow,
        )
