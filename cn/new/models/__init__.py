"""A model predicts y from x. Each other file of this folder is an option: `models/line.py` is `model=line`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

from cn import CN

Point = tuple[float, float]  # x, y


class Model(CN):
    """What is fitted to points."""

    @abstractmethod
    def fit(self, points: list[Point]) -> Callable[[float], float]:
        """Fit the points, and give the function that predicts y from x."""
