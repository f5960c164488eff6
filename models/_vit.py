"""A vision transformer. b images, c colours, n tokens, d channels, h heads, p x q pixels a patch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from models.head._pool import Pool


class Attention(nn.Module):
    """Every token attends to every token."""

    def __init__(self, *, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = rearrange(self.qkv(x), "b n (three h d) -> three b h n d", three=3, h=self.heads)
        y = F.scaled_dot_product_attention(q, k, v)
        return self.out(rearrange(y, "b h n d -> b n (h d)"))


class Block(nn.Module):
    """Attention, then a layer on each token alone; both pre-norm with residual connections."""

    def __init__(self, *, dim: int, heads: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = Attention(dim=dim, heads=heads)
        self.feed_forward_norm = nn.LayerNorm(dim)
        self.feed_forward = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))
        return x + self.feed_forward(self.feed_forward_norm(x))


class ViTNet(nn.Module):
    """Patches become tokens, blocks mix them, `pool` reduces them to one vector."""

    def __init__(
        self,
        *,
        inputs: tuple[int, int, int],
        classes: int,
        patch: int,
        dim: int,
        heads: int,
        depth: int,
        pool: Pool,
    ) -> None:
        super().__init__()
        channels, height, width = inputs
        self.patch = patch
        self.embed = nn.Linear(channels * patch * patch, dim)
        self.position = nn.Parameter(torch.empty((height // patch) * (width // patch), dim))
        self.blocks = nn.Sequential(*(Block(dim=dim, heads=heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim)
        self.pool = pool
        self.logits = nn.Linear(dim, classes)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.position, std=0.02)
        nn.init.normal_(self.logits.weight, std=0.02)  # uniform initial predictions

    def forward(self, images: Tensor) -> Tensor:
        patches = rearrange(images, "b c (row p) (column q) -> b (row column) (c p q)", p=self.patch, q=self.patch)
        tokens = self.pool.extend(self.embed(patches) + self.position)  # b n d
        return self.logits(self.pool(self.norm(self.blocks(tokens))))
