"""python train.py run=dqn"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Le, Lt

from cn.run_folder.watched import Watched
from models import Model
from runs.task import Task, maximize

if TYPE_CHECKING:
    from data import Dataset
    from runs.task._dqn import QLearning


class Dqn(Task):
    """How to act, learnt by acting (Mnih et al. 2015, doi:10.1038/nature14236; double: van Hasselt et al. 2016).

    In each step every episode goes on by one action, and the network learns from what it remembers.
    """

    discount: Annotated[float, Ge(0), Lt(1)] = 0.99  # of what comes one action later
    memory: Annotated[int, Ge(1)] = 50_000  # actions that are remembered, with what came of them
    sample: Annotated[int, Ge(1)] = 256  # of them, in each step
    explore: Annotated[int, Ge(1)] = 1000  # steps in which the fraction of actions at random falls from 1 to `random`
    random: Annotated[float, Ge(0), Le(1)] = 0.05  # fraction of actions
    follow: Annotated[float, Gt(0), Le(1)] = 0.01  # part of the way that the target network goes to the other a step

    _needs = ("states", "actions")
    _exact = True  # bf16 rounds values near 100 to halves: actions tie

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
