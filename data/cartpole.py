"""A pole on a cart, made on the spot: python train.py run=dqn"""

from __future__ import annotations

from typing import TYPE_CHECKING

from data import Data

if TYPE_CHECKING:
    from data import Dataset


class CartPole(Data):
    """A cart that is pushed left or right, so that the pole on it stays up (Barto, Sutton and Anderson 1983).

    An example is a state in which an episode begins; those of training have no end.
    """

    batch_size: int = 32  # episodes that go on at once
    count: int = 100  # episodes of the validation, and as many of the test
    limit: int = 500  # pushes after which an episode ends, if the pole has not fallen

    _holds = ("states", "actions")

    def check(self) -> None:
        super().check()
        for name in ("count", "limit"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, and must be at least 1")

    def build(self, *, seed: int) -> Dataset:
        from data._cartpole import make

        return make(count=self.count, limit=self.limit, seed=seed)
