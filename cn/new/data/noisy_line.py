"""Points near a straight line."""

from __future__ import annotations

from random import Random
from typing import Annotated

from annotated_types import Ge

from data import Data, Point


class NoisyLine(Data):
    """Points of y = slope x, with normal noise on y."""

    slope: float = 2.0
    noise: Annotated[float, Ge(0)] = 0.1  # standard deviation
    count: Annotated[int, Ge(2)] = 100  # points to fit, and as many to test on

    def points(self, seed: int) -> tuple[list[Point], list[Point]]:
        random = Random(seed)
        inputs = [random.uniform(-1, 1) for _ in range(2 * self.count)]
        points = [(x, self.slope * x + random.gauss(0, self.noise)) for x in inputs]
        return points[: self.count], points[self.count :]
