"""A token for the whole image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.head import Head

if TYPE_CHECKING:
    from models.head._pool import ClsTokenPool


class ClsToken(Head):
    """A learnt token joins the others before the first block; it alone is read after the last."""

    def build(self, *, dim: int) -> ClsTokenPool:
        from models.head._pool import ClsTokenPool

        return ClsTokenPool(dim=dim)
