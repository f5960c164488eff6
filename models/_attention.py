"""Self-attention of tokens. b sequences, n tokens, h heads, d channels of a head."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Multi-head attention with an optional causal mask.

    heads: of queries, which share `width`. groups: heads of keys and values, each shared by heads / groups query heads.
    """

    def __init__(self, *, width: int, heads: int, groups: int, causal: bool, dropout: float) -> None:
        super().__init__()
        self.split = (heads, groups, groups)  # of queries, keys and values
        self.causal = causal
        self.dropout = dropout
        self.qkv = nn.Linear(width, sum(self.split) * (width // heads))
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map tokens `b n (h d)` to `b n (h d)`; `mask` comes from `may_see` and includes the causal mask.

        Heads are split before they are transposed, so that the backward pass joins the three gradients in the layout of
        `qkv`, without a copy.
        """
        heads, groups, _ = self.split
        qkv = rearrange(self.qkv(x), "b n (h d) -> b n h d", h=sum(self.split))
        q, k, v = (each.transpose(1, 2) for each in qkv.split(self.split, dim=2))  # b h n d
        y = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=self.causal and mask is None,
            enable_gqa=groups != heads,
        )
        return self.out(rearrange(y, "b h n d -> b n (h d)"))


def may_see(visible: Tensor, *, causal: bool) -> Tensor:
    """Return the attention mask `b 1 n n`, row sees column; padding, where `visible` `b n` is false, is masked.

    Each token sees itself, padding too: a softmax over nothing is NaN and would spoil all gradients.
    """
    itself = torch.eye(visible.shape[1], dtype=torch.bool, device=visible.device)  # n n
    seen = rearrange(visible, "b n -> b 1 1 n")
    if causal:
        seen = seen & torch.ones_like(itself).tril()
    return seen | itself
