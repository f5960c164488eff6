"""BERT's base size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import Language

if TYPE_CHECKING:
    from models._bert import Bert


class Base(Language):
    """BERT (Devlin et al. 2019, arXiv:1810.04805), 109.5 million parameters with its tied head."""

    d_model: int = 768  # channels, the width; a multiple of heads
    heads: int = 12  # of attention; they share d_model
    layers: int = 12  # blocks
    feed_forward: int = 3072  # channels of the layer on each token alone, inside a block
    length: int = 512  # tokens, of the longest sequence
    vocabulary: int | None = 30522  # tokens that have logits; null: as many as the data have

    _causal = False

    def network(self) -> type[Bert]:
        from models._bert import Bert

        return Bert
