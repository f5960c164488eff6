"""How the tokens of a language model attend to each other; chosen as `model/attention=...`."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from cn import CN

if TYPE_CHECKING:
    from models._attention import SelfAttention


class Attention(CN):
    """The base class of attention nodes."""

    def fit(self, *, heads: int) -> None:
        """Raise ValueError for a number of heads that this attention does not support."""

    def keys(self, *, heads: int) -> int:
        """Return the number of heads of keys and values."""
        return heads

    @abstractmethod
    def build(self, *, width: int, heads: int, causal: bool, dropout: float) -> SelfAttention:
        """Return a module from tokens `b n width` and an optional mask to tokens `b n width`."""
