"""How a transformer's tokens become one vector; chosen as `model/head=...`."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from cn import CN

if TYPE_CHECKING:
    from models.head._pool import Pool


class Head(CN):
    """The base class of heads."""

    @abstractmethod
    def build(self, *, dim: int) -> Pool:
        """Return a module from tokens `b n dim` to vectors `b dim`."""
