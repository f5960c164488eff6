"""GPT-2's smallest size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import Language

if TYPE_CHECKING:
    from models._gpt2 import Gpt2


class Small(Language):
    """GPT-2 (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners").

    124.4 million parameters, not counting the 47 rows that fill up its embedding to a multiple of 64.
    """

    d_model: int = 768  # channels, the width; a multiple of heads
    heads: int = 12  # of attention; they share d_model
    layers: int = 12  # blocks
    feed_forward: int = 3072  # channels of the layer on each token alone, inside a block
    length: int = 1024  # tokens, of the longest sequence
    vocabulary: int | None = 50257  # tokens that have logits; null: as many as the data have

    _causal = True

    def network(self) -> type[Gpt2]:
        from models._gpt2 import Gpt2

        return Gpt2
