"""A transformer language model. b sequences, n tokens, d channels, v tokens of the vocabulary."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from models._attention import SelfAttention, may_see

SPREAD = 0.02  # standard deviation of initial weights, as in BERT and GPT-2


class LanguageModel(nn.Module, ABC):
    """Embeddings, transformer blocks, and a tied head that predicts the next or the masked tokens.

    A family's constants define its blocks, and `published` converts its published weights.

    attentions: one per block. vocabulary: number of logits; the embedding may have more rows.
    """

    causal: ClassVar[bool]  # whether a token attends only to earlier ones
    norm_first: ClassVar[bool]  # pre-norm (a block's layers normalise their input) or post-norm
    eps: ClassVar[float]  # of layer norms
    gelu: ClassVar[Literal["none", "tanh"]]  # approximation of GELU
    rows: ClassVar[int] = 1  # the embedding's rows are padded to a multiple

    head_bias: Tensor | None  # v

    def __init__(
        self,
        *,
        vocabulary: int,
        length: int,
        width: int,
        feed_forward: int,
        dropout: float,
        attentions: Sequence[SelfAttention],
    ) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.width = width
        self.tokens = nn.Embedding(-(-vocabulary // self.rows) * self.rows, width)
        self.positions = nn.Embedding(length, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(
                attention=each,
                width=width,
                feed_forward=feed_forward,
                dropout=dropout,
                norm_first=self.norm_first,
                eps=self.eps,
                gelu=self.gelu,
            )
            for each in attentions
        )
        self.register_parameter("head_bias", None)
        self.finish()

    def forward(
        self,
        tokens: Tensor,
        *,
        kinds: Tensor | None = None,
        visible: Tensor | None = None,
        layers: range | slice | None = None,
    ) -> Tensor:
        """Return vectors `b n d` of the last block for tokens `b n`.

        kinds: the type of each token, `b n`, if the family has types; None: all are the first type.
        visible: false for padding, `b n`, which no other token sees; None: no padding, which is faster.
        layers: the blocks that run, such as range(6, 12), the first of them on the embedding; None: all.
        """
        x = self.dropout(self.embed(tokens, kinds))
        mask = None if visible is None else may_see(visible, causal=self.causal)
        for number in layers if isinstance(layers, range) else range(len(self.blocks))[layers or slice(None)]:
            x = self.blocks[number](x, mask)
        return self.final(x)

    def logits(self, hidden: Tensor) -> Tensor:
        """Return one logit per token of the vocabulary, `... v`, from vectors `... d` of `forward`."""
        every = F.linear(self.head_input(hidden), self.tokens.weight, self.head_bias)
        return every[..., : self.vocabulary]

    @property
    def head_weight(self) -> Tensor:
        """The matrix `v d` of the head: logits are `head_input(hidden) @ head_weight.T`, plus `head_bias` if any."""
        return self.tokens.weight[: self.vocabulary]

    @abstractmethod
    def finish(self) -> None:
        """Build the layers that only this family has, and initialize all weights."""

    @abstractmethod
    def embed(self, tokens: Tensor, kinds: Tensor | None) -> Tensor:
        """Return vectors `b n d` of tokens `b n` with their positions, before dropout."""

    @abstractmethod
    def final(self, x: Tensor) -> Tensor:
        """Return the final vectors `b n d` from those of the last block."""

    @abstractmethod
    def head_input(self, hidden: Tensor) -> Tensor:
        """Return the vectors `... d` that `head_weight` multiplies, from those of `forward`."""

    @abstractmethod
    def published(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Convert weights in Hugging Face's layout for this family to our names and shapes.

        A name without a counterpart is kept. Weights in another layout are returned unchanged, as the same dict.
        """


class Block(nn.Module):
    """Attention, then a layer on each token alone; each with a residual connection."""

    def __init__(
        self,
        *,
        attention: SelfAttention,
        width: int,
        feed_forward: int,
        dropout: float,
        norm_first: bool,
        eps: float,
        gelu: Literal["none", "tanh"],
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.attention = attention
        self.attention_norm = nn.LayerNorm(width, eps=eps)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, feed_forward), nn.GELU(approximate=gelu), nn.Linear(feed_forward, width)
        )
        self.feed_forward_norm = nn.LayerNorm(width, eps=eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Map vectors `b n d` to vectors `b n d`; `mask` `b 1 n n`: row sees column."""
        if self.norm_first:
            x = x + self.dropout(self.attention(self.attention_norm(x), mask))
            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        x = self.attention_norm(x + self.dropout(self.attention(x, mask)))
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))


def begin_small(module: nn.Module) -> None:
    """Initialize the matrices of a module from a normal distribution of deviation `SPREAD`, and biases with 0."""
    for each in module.modules():
        if isinstance(each, (nn.Linear, nn.Embedding)):
            nn.init.normal_(each.weight, std=SPREAD)
        if isinstance(each, nn.Linear) and each.bias is not None:
            nn.init.zeros_(each.bias)
