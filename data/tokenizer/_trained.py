"""Vocabularies of the library tokenizers: WordPiece and byte-level BPE."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from data.tokenizer._vocabulary import SPECIAL, UNKNOWN, Numbers, Vocabulary


class Trained(Vocabulary):
    """A tokenizer of the library. Special tokens are recognized by BERT's names."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        tokenizer.no_truncation()  # a file of transformers may say how long the rows of its last call were
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True  # the letters `[MASK]` in a text are no special token
        self.size = tokenizer.get_vocab_size()
        numbers = ((name, tokenizer.token_to_id(name)) for name in SPECIAL)
        self.special = {name: number for name, number in numbers if number is not None}
        self.lengths = _lengths(tokenizer)

    @classmethod
    def from_text(cls, text: str) -> Trained:
        """Parse the JSON of `record`, or of the library; ValueError if it is invalid."""
        try:
            return cls(Tokenizer.from_str(text))
        except Exception as error:  # the library raises a bare Exception
            raise ValueError(str(error)) from None

    def encode(self, texts: Sequence[str]) -> list[Numbers]:
        found = self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(each.ids, dtype=np.int64) for each in found]

    def decode(self, tokens: Iterable[int]) -> str:
        return self.tokenizer.decode([int(each) for each in tokens], skip_special_tokens=True)

    def record(self) -> dict[str, Any]:
        return json.loads(self.tokenizer.to_str())


def wordpiece(texts: Iterable[str], *, size: int, lowercase: bool) -> Trained:
    """Train WordPiece; the text is first split at spaces and punctuation."""
    tokenizer = _wordpiece(models.WordPiece(unk_token=UNKNOWN), lowercase)
    trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=list(SPECIAL), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return Trained(tokenizer)


def from_vocabulary(tokens: Sequence[str], *, lowercase: bool) -> Trained:
    """Return WordPiece with a list of tokens, numbered by position: BERT's vocab.txt."""
    numbers = {token: number for number, token in enumerate(tokens)}
    tokenizer = _wordpiece(models.WordPiece(numbers, unk_token=UNKNOWN), lowercase)
    tokenizer.add_special_tokens([each for each in SPECIAL if each in numbers])
    return Trained(tokenizer)


def byte_pairs(texts: Iterable[str], *, size: int) -> Trained:
    """Train byte-level BPE: a space belongs to the next word, and concatenated tokens give the text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return Trained(tokenizer)


def _wordpiece(model: Any, lowercase: bool) -> Any:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def _lengths(tokenizer: Any) -> Numbers | None:
    """Return the bytes of each token; in a byte-level vocabulary each letter is a byte. None for any other."""
    if not isinstance(tokenizer.decoder, decoders.ByteLevel):
        return None
    found = np.zeros(tokenizer.get_vocab_size(), np.int64)
    special = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    for token, number in tokenizer.get_vocab().items():
        found[number] = 0 if number in special else len(token)
    return found
