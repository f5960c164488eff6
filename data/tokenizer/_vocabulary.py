"""Tokens and their numbers. Numbers 0 to 4 are the same tokens in every vocabulary that is made here."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from cn import UserError

Numbers = npt.NDArray[np.int64]
PAD, UNKNOWN, FIRST, SEPARATOR, MASK = SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


class Vocabulary(ABC):
    """The tokens of a tokenizer."""

    size: int  # number of tokens
    special: dict[str, int]  # name -> number of each special token it has
    lengths: Numbers | None = None  # bytes of each token; None if tokens do not concatenate to the text

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest dtype for files of its tokens."""
        return np.dtype(np.uint16 if self.size <= 1 << 16 else np.uint32)

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> list[Numbers]:
        """Return the tokens of each text, without special tokens."""

    @abstractmethod
    def decode(self, tokens: Iterable[int]) -> str:
        """Return the text of these tokens, without special tokens."""

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """Return the JSON that `from_record` reads."""

    def need(self, token: str) -> int:
        """Return the number of a special token. UserError if the vocabulary lacks it."""
        if token in self.special:
            return self.special[token]
        what = f"data.tokenizer: its {self.size} tokens lack {token}, which this task needs"
        raise UserError(what, "nearest: data/tokenizer=wordpiece, whose vocabulary is learnt from the text")

    def save(self, path: Path) -> None:
        """Write a file that `data/tokenizer=file` reads."""
        path.write_text(json.dumps(self.record(), ensure_ascii=False))


class Units(Vocabulary):
    """One token for each unit of a text: a byte of UTF-8, or a character of a given list."""

    kind: ClassVar[str]

    def __init__(self, count: int) -> None:
        self.size = len(SPECIAL) + count
        self.special = {name: number for number, name in enumerate(SPECIAL)}

    @abstractmethod
    def units(self, text: str) -> Numbers:
        """Return the number of each unit, from 0; -1 for an unknown unit."""

    def encode(self, texts: Sequence[str]) -> list[Numbers]:
        return [
            np.where((found := self.units(text)) < 0, self.special[UNKNOWN], found + len(SPECIAL)) for text in texts
        ]


class Bytes(Units):
    kind = "bytes"

    def __init__(self) -> None:
        super().__init__(256)
        self.lengths = np.array([0] * len(SPECIAL) + [1] * 256)

    def units(self, text: str) -> Numbers:
        return np.frombuffer(text.encode(), np.uint8).astype(np.int64)

    def decode(self, tokens: Iterable[int]) -> str:
        known = [each - len(SPECIAL) for each in tokens if each >= len(SPECIAL)]
        return bytes(known).decode(errors="replace")

    def record(self) -> dict[str, Any]:
        return {"kind": self.kind}


class Characters(Units):
    kind = "characters"

    def __init__(self, characters: str) -> None:
        """characters: sorted, without duplicates."""
        super().__init__(len(characters))
        self.characters = characters
        self.points = np.array([ord(each) for each in characters])
        own = [len(each.encode()) for each in characters]
        self.lengths = np.array([0, 1, *[0] * (len(SPECIAL) - 2), *own])  # an unknown character has at least one byte

    def units(self, text: str) -> Numbers:
        points = np.frombuffer(text.encode("utf-32-le"), np.uint32).astype(np.int64)
        place = np.searchsorted(self.points, points).clip(max=len(self.points) - 1)
        return np.where(self.points[place] == points, place, -1)

    def decode(self, tokens: Iterable[int]) -> str:
        kept = (each for each in tokens if each >= len(SPECIAL) or each == self.special[UNKNOWN])
        return "".join("\ufffd" if each < len(SPECIAL) else self.characters[each - len(SPECIAL)] for each in kept)

    def record(self) -> dict[str, Any]:
        return {"kind": self.kind, "characters": self.characters}


def from_record(record: dict[str, Any]) -> Vocabulary:
    """Return the vocabulary of a record; ValueError if it is invalid."""
    match record:
        case {"kind": "bytes"}:
            return Bytes()
        case {"kind": "characters", "characters": str(characters)} if characters:
            return Characters(characters)
        case {"model": dict(), **_rest}:
            from data.tokenizer._trained import Trained

            return Trained.from_text(json.dumps(record))
        case _:
            raise ValueError("it holds no vocabulary")
