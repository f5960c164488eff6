"""Keys and values that several heads share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models._fields import Size, listed, nearest
from models.attention import Attention

if TYPE_CHECKING:
    from models._attention import SelfAttention


class GroupedQuery(Attention):
    """Each group of heads shares one head of keys and values (Ainslie et al. 2023, arXiv:2305.13245)."""

    groups: Size = 4  # heads of keys and values; a divisor of the model's heads, 1 is multi-query attention

    def fit(self, *, heads: int) -> None:
        if heads % self.groups:
            near = nearest(self.groups, [n for n in range(1, heads + 1) if heads % n == 0])
            raise ValueError(
                f"attention.groups={self.groups} does not divide heads={heads}: {listed('attention.groups', near)}"
            )

    def keys(self, *, heads: int) -> int:
        return self.groups

    def build(self, *, width: int, heads: int, causal: bool, dropout: float) -> SelfAttention:
        from models._attention import SelfAttention

        return SelfAttention(width=width, heads=heads, groups=self.groups, causal=causal, dropout=dropout)
