"""Vision transformers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cn import UserError
from models import Model
from models._fields import Size, divisible, listed, nearest
from models.head import Head
from models.head.mean_pool import MeanPool

if TYPE_CHECKING:
    from models._vit import ViTNet


class ViT(Model):
    """Vision transformer (Dosovitskiy et al. 2021, arXiv:2010.11929)."""

    patch: Size = 4  # pixels, of a patch's side
    dim: Size = 192  # channels; a multiple of heads
    heads: Size = 3  # of attention; they share dim
    depth: Size = 9  # blocks
    head: Head = MeanPool()  # how the tokens become one vector

    _needs = ("images",)

    def check(self) -> None:
        divisible("heads", self.heads, dim=self.dim)

    def build(self, *, inputs: tuple[int, int, int], classes: int) -> ViTNet:
        _, height, width = inputs
        side = math.gcd(height, width)
        if side % self.patch:
            near = nearest(self.patch, [n for n in range(1, side + 1) if side % n == 0])
            raise UserError(
                f"{type(self).__name__}.patch is {self.patch}, which does not divide an image of "
                f"{height} x {width} pixels: {listed('patch', near)}"
            )
        from models._vit import ViTNet

        return ViTNet(
            inputs=inputs,
            classes=classes,
            patch=self.patch,
            dim=self.dim,
            heads=self.heads,
            depth=self.depth,
            pool=self.head.build(dim=self.dim),
        )


class Tiny(ViT):
    """The tiny size of DeiT (Touvron et al. 2021, arXiv:2012.12877)."""

    depth: int = 12  # blocks


class Small(ViT):
    """The small size of DeiT (Touvron et al. 2021, arXiv:2012.12877)."""

    dim: int = 384  # channels; a multiple of heads
    heads: int = 6  # of attention; they share dim
    depth: int = 12  # blocks


class Base(ViT):
    """The base size of the paper."""

    dim: int = 768  # channels; a multiple of heads
    heads: int = 12  # of attention; they share dim
    depth: int = 12  # blocks
