"""run=shakespeare as one would write it by hand, with torch and NumPy alone: what a run of text is measured against.

It takes the same windows in the same order, so it comes to the same losses, apart from the rounding of sums.
b windows in a batch, n tokens, h heads, d channels, v tokens of the vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

RATE, BETAS, DECAY = 1e-3, (0.9, 0.99), 0.1
WARMUP = 0.1  # of all steps
CLIP = 1.0  # norm of the gradient
LOG = 10  # steps


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        b, n, width = x.shape
        q, k, v = (
            each.view(b, n, self.heads, width // self.heads).transpose(1, 2) for each in self.qkv(x).split(width, dim=2)
        )  # b h n d
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(b, n, width))


class Block(nn.Module):
    def __init__(self, width: int, heads: int, feed_forward: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, feed_forward), nn.GELU(approximate="tanh"), nn.Linear(feed_forward, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))
        return x + self.feed_forward(self.feed_forward_norm(x))


class Gpt(nn.Module):
    """GPT-2 without dropout. Its weights have the names of ours, so that they can be copied and compared."""

    def __init__(
        self, *, vocabulary: int, rows: int, length: int, width: int, heads: int, feed_forward: int, layers: int
    ) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.tokens = nn.Embedding(rows, width)
        self.positions = nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads, feed_forward) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.tokens(tokens) + self.positions.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.tokens.weight[: self.vocabulary])


class Script:
    """Everything that the script has made, for whoever wants to compare it; `train` is the script."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.losses: list[Tensor] = []  # means since the last log, not read yet

    def train(
        self,
        text: np.ndarray[Any, Any],  # tokens
        *,
        length: int,  # tokens of a window
        order: Callable[[int], Tensor],  # of the windows, from the epoch
        start: Callable[[int], int],  # the first token of the first window, from the epoch
        batch: int,  # windows
        steps: int,
    ) -> Iterator[None]:
        """Yields after each step."""
        network = self.network
        parameters = list(network.parameters())
        groups: list[dict[str, Any]] = [
            {"params": [each for each in parameters if each.ndim > 1]},
            {"params": [each for each in parameters if each.ndim < 2], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, RATE, BETAS, weight_decay=DECAY, fused=True)
        warmup, within = round(WARMUP * steps), np.arange(length + 1)
        total = torch.zeros(())
        per_epoch = len(order(0)) // batch
        index, first = order(0), start(0)
        network.train()
        for step in range(steps):
            epoch, place = divmod(step, per_epoch)
            if place == 0:
                index, first = order(epoch), start(epoch)
            own = index[place * batch : (place + 1) * batch].numpy()
            tokens = torch.from_numpy(text[own[:, None] * length + first + within].astype(np.int64))
            logits = network(tokens[:, :-1])
            loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
            loss.backward()
            done = (step - warmup) / max(1, steps - warmup)
            rate = RATE * ((step + 1) / (warmup + 1) if step < warmup else 0.5 * (1 + math.cos(math.pi * done)))
            for group in optimizer.param_groups:
                group["lr"] = rate
            nn.utils.clip_grad_norm_(parameters, CLIP)
            optimizer.step()
            optimizer.zero_grad()
            total += loss.detach()
            if (step + 1) % LOG == 0:
                self.losses.append(total / LOG)
                total.zero_()
            yield
