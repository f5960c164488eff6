"""A straight line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from annotated_types import Ge, Gt

from models import Model, Point


class Line(Model):
    """Fits slope and offset by gradient descent on the squared error."""

    steps: Annotated[int, Ge(1)] = 200
    rate: Annotated[float, Gt(0)] = 0.3  # step size

    def fit(self, points: list[Point]) -> Callable[[float], float]:
        slope = offset = 0.0
        for _ in range(self.steps):
            errors = [(x, slope * x + offset - y) for x, y in points]
            slope -= self.rate * sum(error * x for x, error in errors) / len(points)
            offset -= self.rate * sum(error for _, error in errors) / len(points)
        return lambda x: slope * x + offset
