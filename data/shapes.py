"""Squares, discs and triangles on noise, made on the spot: images of which each pixel has a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data import Data

if TYPE_CHECKING:
    from data import Dataset


class Shapes(Data):
    """Grey images with one shape of each kind at the most, and masks that say which pixel belongs to which."""

    batch_size: int = 32  # examples a step
    count: int = 600  # training images; validation and test have a quarter as many each
    size: int = 32  # pixels, height and width, at least 16
    noise: float = 0.5  # deviation of the noise, where a shape is 1 brighter than what is behind it; at least 0

    _holds = ("images", "masks")

    def check(self) -> None:
        super().check()
        if self.count < 4:
            raise ValueError(f"count is {self.count}, and must be at least 4 images")
        if self.size < 16:
            raise ValueError(f"size is {self.size}, and must be at least 16 pixels")
        if not 0 <= self.noise < float("inf"):
            raise ValueError(f"noise is {self.noise}, and must be at least 0 and finite")

    def build(self, *, seed: int) -> Dataset:
        from data._shapes import make

        return make(count=self.count, size=self.size, noise=self.noise, seed=seed)
