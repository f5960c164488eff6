"""From tokens to one vector. b images, n tokens, d channels."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from einops import repeat
from einops.layers.torch import Reduce
from torch import Tensor, nn


class Pool(nn.Module, ABC):
    """`extend` is called on the tokens before the first block, `forward` after the last."""

    def extend(self, tokens: Tensor) -> Tensor:
        """Return the tokens `b n d` for the blocks, with the pool's own tokens added."""
        return tokens

    @abstractmethod
    def forward(self, tokens: Tensor) -> Tensor:
        """Return one vector `b d` per image."""


class MeanTokenPool(Pool):
    def __init__(self) -> None:
        super().__init__()
        self.mean = Reduce("b n d -> b d", "mean")

    def forward(self, tokens: Tensor) -> Tensor:
        return self.mean(tokens)


class ClsTokenPool(Pool):
    """A learnt token, without a position, which would only be added to it."""

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.empty(dim))
        nn.init.normal_(self.token, std=0.02)

    def extend(self, tokens: Tensor) -> Tensor:
        first = repeat(self.token, "d -> b 1 d", b=len(tokens))
        return torch.cat([first, tokens], dim=1)  # b (1 n) d

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens[:, 0]  # b d
