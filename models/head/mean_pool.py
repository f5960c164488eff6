"""The mean of all tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.head import Head

if TYPE_CHECKING:
    from models.head._pool import MeanTokenPool


class MeanPool(Head):
    """The mean of all tokens; adds no parameter."""

    def build(self, *, dim: int) -> MeanTokenPool:
        from models.head._pool import MeanTokenPool

        return MeanTokenPool()
