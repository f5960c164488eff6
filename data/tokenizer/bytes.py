"""python train.py run=language data/tokenizer=bytes"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from data.tokenizer import Tokenizer

if TYPE_CHECKING:
    from data.tokenizer._vocabulary import Vocabulary


class Bytes(Tokenizer):
    """A token for each of the 256 bytes of UTF-8: no text has an unknown token."""

    def build(self, texts: Iterable[str]) -> Vocabulary:
        from data.tokenizer import _vocabulary

        return _vocabulary.Bytes()
