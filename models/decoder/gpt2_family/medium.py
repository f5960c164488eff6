"""GPT-2's second size."""

from __future__ import annotations

from models.decoder.gpt2_family.small import Small


class Medium(Small):
    """The second size of the paper, 354.8 million parameters, counted in the same way."""

    d_model: int = 1024  # channels, the width; a multiple of heads
    heads: int = 16  # of attention; they share d_model
    layers: int = 24  # blocks
    feed_forward: int = 4096  # channels of the layer on each token alone, inside a block
