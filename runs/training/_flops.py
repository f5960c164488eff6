"""FLOPs of a training step, per token of a window; a multiplication and an addition count as two.

Only matrix products are counted, as by torch's own counter. A backward pass computes the gradient of a product's input
(as many operations as the product) and of its weights (as many again).
"""
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Sequence

from cn.immutable import Immutable
from models import Language


class Flops(Immutable):
    """FLOPs of the forward pass, per token."""

    linear: int  # products with weights in a block
    attention: int  # products of attention in a block, without weights
    entry: int  # products with the block's own, unnormalised input
    head: int  # per predicted token


def flops(model: Language, length: int, vocabulary: int) -> Flops:
    """Return the FLOPs of this model on windows of `length` tokens; vocabulary: number of logits of the head."""
    width = model.d_model
    keys = width // model.heads * model.attention.keys(heads=model.heads)
    entry = 2 * width * (width + 2 * keys)  # query, key and value
    linear = entry + 2 * width * width + 4 * width * model.feed_forward
    transform = 0 if model._causal else 2 * width * width
    return Flops(linear, 4 * length * width, 0 if model._causal else entry, transform + 2 * width * vocabulary)


def classical(own: Flops, layers: int, rate: float) -> float:
    """Return the FLOPs of a step in which all weights learn; rate: fraction of predicted tokens."""
    return 3 * layers * (own.linear + own.attention) + 3 * rate * own.head


def depth_time(own: Flops, rates: Sequence[float]) -> list[float]:
    """Return the FLOPs of a step in each block's phase, leftmost block first; rates: fraction of masked tokens per
    block.
    """
    found: list[float] = []
    for first, rate in enumerate(rates):
        blocks = len(rates) - first
        if blocks == 1:  # the embeddings and the head learn too
            found.append(classical(own, 1, rate))
            continue
        passes = blocks * (2 * own.linear + 3 * own.attention) + 2 * rate * own.head
        found.append(passes + own.linear - own.entry)  # frozen embeddings need no gradient
    return found
