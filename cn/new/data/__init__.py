"""A data set is points to fit and points to test on. `data/noisy_line.py` is `data=noisy_line`."""

from __future__ import annotations

from abc import abstractmethod

from cn import CN

Point = tuple[float, float]  # x, y


class Data(CN):
    """Where points come from."""

    @abstractmethod
    def points(self, seed: int) -> tuple[list[Point], list[Point]]:
        """Points to fit, and others to test on; the same seed gives the same points."""
