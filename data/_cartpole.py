"""The cart-pole environment. b states of 4 numbers: position (m), velocity (m/s), angle (rad), its velocity (rad/s)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from data._dataset import Dataset, Split
from data._stream import Streamed

ACTIONS = ("left", "right")
GRAVITY, CART, POLE, HALF = 9.8, 1.0, 0.1, 0.5  # m/s2, kg, kg, m: half of the pole's length
FORCE, SECONDS = 10.0, 0.02  # N per push, and s between two pushes
EDGE, FALLEN = 2.4, 12 * torch.pi / 180  # m from the middle, rad from upright
FIRST = 0.05  # largest absolute value in an initial state


@dataclass(frozen=True)
class Pole:
    """The dynamics, and the maximum number of pushes in an episode. The reward is 1 per push."""

    limit: int
    scale: tuple[float, ...] = (EDGE, 2.0, FALLEN, 2.0)  # typical sizes of a state's numbers

    def step(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next states `b 4` after pushes `b` of 0 or 1, and whether the pole fell or the cart left, `b`.

        Euler's method with the equations of Barto et al. 1983, without friction.
        """
        place, speed, angle, turn = states.unbind(1)
        force = (2.0 * actions - 1) * FORCE
        sin, cos, mass = angle.sin(), angle.cos(), CART + POLE
        pushed = (force + POLE * HALF * turn.square() * sin) / mass
        turning = (GRAVITY * sin - cos * pushed) / (HALF * (4 / 3 - POLE * cos.square() / mass))
        moving = pushed - POLE * HALF * turning * cos / mass
        found = torch.stack(
            [place + SECONDS * speed, speed + SECONDS * moving, angle + SECONDS * turn, turn + SECONDS * turning], dim=1
        )
        return found, (found[:, 0].abs() > EDGE) | (found[:, 2].abs() > FALLEN)


class Beginnings(Split):
    """Initial states of episodes, `n 4`."""

    def __init__(self, states: Tensor) -> None:
        self.states = states

    def __len__(self) -> int:
        return len(self.states)

    def batch(self, index: Tensor) -> Tensor:
        """Return states `b 4`."""
        return self.states.index_select(0, index)

    def to(self, device: torch.device | str) -> Beginnings:
        return Beginnings(self.states.to(device))


class Endless:
    """An endless stream of initial states, computed from the seed."""

    def __init__(self, seed: int) -> None:
        self.random = _random(seed, 0)

    def __iter__(self) -> Iterator[Tensor]:
        while True:
            yield _first(self.random, 4)

    def state_dict(self) -> dict[str, Any]:
        state: Any = self.random.bit_generator.state
        return {"state": str(state["state"]["state"]), "inc": str(state["state"]["inc"])}  # 128-bit integers

    def load_state_dict(self, state: dict[str, Any]) -> None:
        numbers = {name: int(each) for name, each in state.items()}
        self.random.bit_generator.state = {"bit_generator": "PCG64", "state": numbers, "has_uint32": 0, "uinteger": 0}


def _random(seed: int, part: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([seed, part]))


def _first(random: np.random.Generator, *shape: int) -> Tensor:
    """Draw initial states."""
    return torch.from_numpy(random.uniform(-FIRST, FIRST, shape).astype(np.float32))


def make(*, count: int, limit: int, seed: int) -> Dataset:
    """Return the data set: a stream of initial states for training, and `count` each for validation and test."""
    validation, test = (Beginnings(_first(_random(seed, part), count, 4)) for part in (1, 2))
    train = Streamed(Endless(seed))
    return Dataset(train, validation, test, (4,), ACTIONS, noun="first states", world=Pole(limit))
