"""python train.py run=language data/tokenizer=characters"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from data.tokenizer import Tokenizer

if TYPE_CHECKING:
    from data.tokenizer._vocabulary import Vocabulary


class Characters(Tokenizer):
    """A token for each character that the training part has; any other is [UNK]."""

    def build(self, texts: Iterable[str]) -> Vocabulary:
        from data.tokenizer import _vocabulary

        found: set[str] = set()
        for text in texts:
            found.update(text)
        return _vocabulary.Characters("".join(sorted(found)))
