"""BERT's large size."""

from __future__ import annotations

from models.encoder.bert_family.base import Base


class Large(Base):
    """The large size of the paper, 335.2 million parameters."""

    d_model: int = 1024  # channels, the width; a multiple of heads
    heads: int = 16  # of attention; they share d_model
    layers: int = 24  # blocks
    feed_forward: int = 4096  # channels of the layer on each token alone, inside a block
