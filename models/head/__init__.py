"""How a transformer's tokens become one vector; chosen as `model/head=...`."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from cn import CN

if TYPE_CHECKING:
    from models.head._pool import Pool


class Head(CN):
    """What every head promises."""

    @abstractmethod
    def build(self, *, dim: int) -> Pool:
        """A module from tokens `b n dim` to vectors `b dim`."""
