"""python train.py run=language data/tokenizer=wordpiece"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from data.tokenizer import Learnt

if TYPE_CHECKING:
    from data.tokenizer._vocabulary import Vocabulary


class Wordpiece(Learnt):
    """Parts of words, learnt from the training part, as BERT has them (Devlin et al. 2019, arXiv:1810.04805)."""

    lowercase: bool = True  # and without accents, as the uncased BERT

    def build(self, texts: Iterable[str]) -> Vocabulary:
        from data.tokenizer._trained import wordpiece

        return wordpiece(texts, size=self.size, lowercase=self.lowercase)
