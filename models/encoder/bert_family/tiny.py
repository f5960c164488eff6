"""BERT in TinyBERT's size."""

from __future__ import annotations

from models.encoder.bert_family.base import Base


class Tiny(Base):
    """The shape of TinyBERT's 4 layers (Jiao et al. 2020, arXiv:1909.10351), 14.4 million parameters."""

    d_model: int = 312  # channels, the width; a multiple of heads
    heads: int = 12  # of attention; they share d_model
    layers: int = 4  # blocks
    feed_forward: int = 1200  # channels of the layer on each token alone, inside a block
