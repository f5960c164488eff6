"""BERT (Devlin et al. 2019, arXiv:1810.04805). b sequences, n tokens, d channels, v tokens of the vocabulary."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models._published import renamed
from models._transformer import LanguageModel, begin_small

KINDS = 2  # token types: first and second sentence

NAMES = {  # published name -> our name; {} is a block's number
    "embeddings.word_embeddings": "tokens",
    "embeddings.position_embeddings": "positions",
    "embeddings.token_type_embeddings": "kinds",
    "embeddings.LayerNorm": "norm",
    "encoder.layer.{}.attention.self.qkv": "blocks.{}.attention.qkv",
    "encoder.layer.{}.attention.output.dense": "blocks.{}.attention.out",
    "encoder.layer.{}.attention.output.LayerNorm": "blocks.{}.attention_norm",
    "encoder.layer.{}.intermediate.dense": "blocks.{}.feed_forward.0",
    "encoder.layer.{}.output.dense": "blocks.{}.feed_forward.2",
    "encoder.layer.{}.output.LayerNorm": "blocks.{}.feed_forward_norm",
    "cls.predictions.transform.dense": "transform.0",
    "cls.predictions.transform.LayerNorm": "transform.2",
}
BIAS = "cls.predictions.bias"
COPIES = {  # tied weights that some files store twice
    "cls.predictions.decoder.weight": "embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": BIAS,
}
COUNTED = "embeddings.position_ids"  # 0, 1, 2, ...: not a weight


class Bert(LanguageModel):
    """Every token attends to every token; a transform layer precedes the tied head."""

    causal = False
    norm_first = False
    eps = 1e-12
    gelu = "none"

    def finish(self) -> None:
        self.kinds = nn.Embedding(KINDS, self.width)
        self.norm = nn.LayerNorm(self.width, eps=self.eps)
        self.transform = nn.Sequential(
            nn.Linear(self.width, self.width), nn.GELU(), nn.LayerNorm(self.width, eps=self.eps)
        )
        self.head_bias = nn.Parameter(torch.zeros(self.vocabulary))
        begin_small(self)

    def embed(self, tokens: Tensor, kinds: Tensor | None) -> Tensor:
        kind = self.kinds.weight[0] if kinds is None else self.kinds(kinds)  # d or b n d
        return self.norm(self.tokens(tokens) + self.positions.weight[: tokens.shape[1]] + kind)

    def final(self, x: Tensor) -> Tensor:
        return x

    def head_input(self, hidden: Tensor) -> Tensor:
        return self.transform(hidden)

    def published(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        theirs = {_modern(name): each for name, each in weights.items()}
        if "embeddings.word_embeddings.weight" not in theirs:
            return weights
        theirs.pop(COUNTED, None)
        for query in [name for name in theirs if ".self.query." in name]:
            three = [query.replace("query", part) for part in ("query", "key", "value")]
            if all(name in theirs for name in three):
                theirs[query.replace("query", "qkv")] = torch.cat([theirs.pop(name) for name in three])
        ours = renamed(theirs, names=NAMES, copies=COPIES)
        if BIAS in ours:
            ours["head_bias"] = ours.pop(BIAS)
        return ours


def _modern(name: str) -> str:
    """Return a published name without the model prefix, and with current names of norm weights."""
    return name.removeprefix("bert.").replace("Norm.gamma", "Norm.weight").replace("Norm.beta", "Norm.bias")
