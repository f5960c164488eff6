"""Keys and values for each head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.attention import Attention

if TYPE_CHECKING:
    from models._attention import SelfAttention


class Plain(Attention):
    """Each head has queries, keys and values of its own (Vaswani et al. 2017, arXiv:1706.03762)."""

    def build(self, *, width: int, heads: int, causal: bool, dropout: float) -> SelfAttention:
        from models._attention import SelfAttention

        return SelfAttention(width=width, heads=heads, groups=heads, causal=causal, dropout=dropout)
