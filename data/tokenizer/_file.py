"""Reads a vocabulary from a file."""

from __future__ import annotations

import json
from pathlib import Path

from cn import UserError
from cn.errors import short
from data.tokenizer._vocabulary import Vocabulary, from_record

FORMS = "it must be a tokenizer.json, or BERT's vocab.txt with a token in each line"


def read(path: Path, *, lowercase: bool) -> Vocabulary:
    """Return the vocabulary of a tokenizer.json or of a vocab.txt. UserError if the file is missing or invalid."""
    path = path.expanduser()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"data.tokenizer.path is '{path}', which cannot be read: {error.strerror}", FORMS) from None
    except UnicodeDecodeError:
        raise UserError(f"data.tokenizer.path is '{path}', which is no text", FORMS) from None
    try:
        if path.suffix == ".json":
            return from_record(json.loads(text))
        from data.tokenizer._trained import from_vocabulary

        tokens = text.removesuffix("\n").split("\n")  # other characters that end a line may be tokens
        if "[UNK]" not in tokens:
            raise ValueError("no line of it is [UNK]")
        if len(set(tokens)) < len(tokens):
            twice = next(each for place, each in enumerate(tokens) if each in tokens[:place])
            raise ValueError(f"it has the token {short(repr(twice))} twice")
        return from_vocabulary(tokens, lowercase=lowercase)
    except ValueError as error:
        what = f"data.tokenizer.path is '{path}', which holds no vocabulary: {str(error).splitlines()[0]}"
        raise UserError(what, FORMS) from None
