"""python train.py run=language data/tokenizer=bpe"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from data.tokenizer import Learnt

if TYPE_CHECKING:
    from data.tokenizer._vocabulary import Vocabulary


class Bpe(Learnt):
    """Byte-level byte-pair encoding, learnt from the training part, as GPT-2 has it (Radford et al. 2019)."""

    size: int = 8192  # tokens at most; 256 of them are bytes, so that no text has an unknown token

    def build(self, texts: Iterable[str]) -> Vocabulary:
        from data.tokenizer._trained import byte_pairs

        return byte_pairs(texts, size=self.size)
