"""Token masking for language models. b windows, n tokens, k masked ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from data.tokenizer._vocabulary import MASK
from runs.task._noise import uniform

if TYPE_CHECKING:
    from data.tokenizer._vocabulary import Vocabulary

MASKED, REPLACED = 0.8, 0.1  # of hidden tokens: become [MASK], become a random token; the rest are unchanged


class Corruption:
    """Masks a fixed number of tokens in each window; special tokens are masked last.

    rate: the fraction of masked tokens; at least one token is masked.
    masked, replaced: fractions of these (Devlin et al. 2019, appendix A.1).
    """

    def __init__(
        self, vocabulary: Vocabulary, *, rate: float, masked: float = MASKED, replaced: float = REPLACED
    ) -> None:
        self.mask, self.size = vocabulary.need(MASK), vocabulary.size
        self.special = torch.tensor(sorted(vocabulary.special.values()))
        self.rate, self.masked, self.replaced = rate, masked, replaced

    def __call__(self, tokens: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the model's input `b n` and the masked positions `b k`; noise: `3 b n` in [0, 1)."""
        chosen, how, what = noise
        order = chosen - torch.isin(tokens, self.special.to(tokens.device)).to(chosen.dtype)
        at = order.topk(self.count(tokens.shape[1]), dim=1).indices
        own, how = tokens.gather(1, at), how.gather(1, at)
        anything = (what.gather(1, at) * self.size).long()
        put_in = torch.where(
            how < self.masked, self.mask, torch.where(how < self.masked + self.replaced, anything, own)
        )
        return tokens.scatter(1, at, put_in), at

    def of(self, tokens: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Mask with noise computed from each window and the seed only."""
        n = tokens.shape[1]
        return self(tokens, torch.stack([uniform(tokens, n, 3 * seed + each) for each in range(3)]))

    def count(self, length: int) -> int:
        """Return the number of masked tokens in a window."""
        return min(length, max(1, round(self.rate * length)))
