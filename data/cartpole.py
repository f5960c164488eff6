"""A pole on a cart, simulated: python train.py run=dqn"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge

from data import Data

if TYPE_CHECKING:
    from data import Dataset


class CartPole(Data):
    """A cart that is pushed left or right, so that the pole on it stays up (Barto, Sutton and Anderson 1983).

    An example is a state in which an episode begins; those of training have no end.
    """

    batch_size: int = 32  # episodes that go on at once
    count: Annotated[int, Ge(1)] = 100  # episodes of the validation, and as many of the test
    limit: Annotated[int, Ge(1)] = 500  # pushes after which an episode ends, if the pole has not fallen

    _holds = ("states", "actions")

    def build(self, *, seed: int) -> Dataset:
        from data._cartpole import make

        return make(count=self.count, limit=self.limit, seed=seed)
