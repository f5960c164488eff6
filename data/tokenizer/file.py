"""python train.py run=language data/tokenizer=file data.tokenizer.path=tokenizer.json"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from data.tokenizer import Tokenizer

if TYPE_CHECKING:
    from data.tokenizer._vocabulary import Vocabulary


class File(Tokenizer):
    """A vocabulary from a file: tokenizer.json of a run or of the library tokenizers, or vocab.txt of a BERT."""

    path: Path  # of the file
    lowercase: bool = True  # of vocab.txt alone: whether it is an uncased one

    def packages(self) -> tuple[str, ...]:
        return ("tokenizers",)

    def build(self, texts: Iterable[str]) -> Vocabulary:
        from data.tokenizer._file import read

        return read(self.path, lowercase=self.lowercase)
