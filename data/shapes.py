"""Squares, discs and triangles on noise, generated: images with a class for each pixel."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Lt

from data import Data

if TYPE_CHECKING:
    from data import Dataset


class Shapes(Data):
    """Grey images with one shape of each kind at the most, and masks that say which pixel belongs to which."""

    batch_size: int = 32  # examples a step
    count: Annotated[int, Ge(4)] = 600  # training images; validation and test have a quarter as many each
    size: Annotated[int, Ge(16)] = 32  # pixels, height and width
    noise: Annotated[float, Ge(0), Lt(inf)] = 0.5  # its deviation; a shape is 1 brighter than what is behind it

    _holds = ("images", "masks")

    def examples(self) -> int:
        return self.count

    def build(self, *, seed: int) -> Dataset:
        from data._shapes import make

        return make(count=self.count, size=self.size, noise=self.noise, seed=seed)
