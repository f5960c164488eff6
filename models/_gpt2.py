"""GPT-2 (Radford et al. 2019). b sequences, n tokens, d channels."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

from models._published import renamed
from models._transformer import SPREAD, LanguageModel, begin_small

NAMES = {  # published name -> our name; {} is a block's number
    "wte": "tokens",
    "wpe": "positions",
    "h.{}.ln_1": "blocks.{}.attention_norm",
    "h.{}.attn.c_attn": "blocks.{}.attention.qkv",
    "h.{}.attn.c_proj": "blocks.{}.attention.out",
    "h.{}.ln_2": "blocks.{}.feed_forward_norm",
    "h.{}.mlp.c_fc": "blocks.{}.feed_forward.0",
    "h.{}.mlp.c_proj": "blocks.{}.feed_forward.2",
    "ln_f": "norm",
}
COPIES = {"lm_head.weight": "wte.weight"}  # tied
TRANSPOSED = (".c_attn.weight", ".c_proj.weight", ".c_fc.weight")  # published as inputs x outputs
MASKS = (".attn.bias", ".attn.masked_bias")  # causal masks in older files: not weights

LAST = (".attention.out.weight", ".feed_forward.2.weight")  # output projections, two per block


class Gpt2(LanguageModel):
    """A token attends to itself and earlier ones; the embedding is padded to more rows, for the speed of the head."""

    causal = True
    norm_first = True
    eps = 1e-5
    gelu = "tanh"
    rows = 64  # 50257 tokens have 50304 rows

    def finish(self) -> None:
        self.norm = nn.LayerNorm(self.width, eps=self.eps)
        begin_small(self)
        for name, each in self.blocks.named_parameters():
            if name.endswith(LAST):
                nn.init.normal_(each, std=SPREAD / math.sqrt(2 * len(self.blocks)))

    def embed(self, tokens: Tensor, kinds: Tensor | None) -> Tensor:
        if kinds is not None:
            raise ValueError("GPT-2 has no types of tokens: call it without kinds")
        return self.tokens(tokens) + self.positions.weight[: tokens.shape[1]]

    def final(self, x: Tensor) -> Tensor:
        return self.norm(x)

    def head_input(self, hidden: Tensor) -> Tensor:
        return hidden

    def published(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        theirs = {name.removeprefix("transformer."): each for name, each in weights.items()}
        if "wte.weight" not in theirs:
            return weights
        theirs = {name: each for name, each in theirs.items() if not name.endswith(MASKS)}
        ours = renamed(
            {name: each.T if name.endswith(TRANSPOSED) else each for name, each in theirs.items()},
            names=NAMES,
            copies=COPIES,
        )
        if len(ours["tokens.weight"]) == self.vocabulary:
            more = self.tokens.num_embeddings - self.vocabulary
            ours["tokens.weight"] = F.pad(ours["tokens.weight"], (0, 0, 0, more))  # padding rows
        return ours
