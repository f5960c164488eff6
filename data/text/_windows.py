"""Windows of a text. b windows in a batch, n tokens in each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cn import UserError
from data._batch import send
from data._dataset import Dataset, Epoch, Split
from data._seed import seed_of
from data.text._tokens import Tokens, prepare, spans
from data.tokenizer import Tokenizer


class Windows(Split):
    """Tokens `b n+1`: consecutive windows overlap in one token, which is only predicted.

    seed: decides where an epoch's first window begins, below n; None: always at the first token.
    """

    on_host = True

    def __init__(self, tokens: Tokens, length: int, *, seed: int | None = None, device: torch.device | str = "cpu"):
        self.tokens, self.length, self.seed, self.device = tokens, length, seed, torch.device(device)
        self.count = max(0, (len(tokens.numbers) - 1 - (0 if seed is None else length - 1)) // length)
        self.within = np.arange(length + 1)

    def __len__(self) -> int:
        return self.count

    def batch(self, index: Tensor) -> Tensor:
        return self._from(index, 0)

    def batches(self, epochs: Iterable[Epoch], *, together: int = 1) -> Iterator[Tensor]:
        for epoch, batches in epochs:
            start = 0 if self.seed is None or epoch is None else seed_of(self.seed, "start", epoch) % self.length
            for index in batches:
                yield self._from(index, start)

    def _from(self, index: Tensor, start: int) -> Tensor:
        places = index.numpy(force=True)[:, None] * self.length + start + self.within
        tokens = torch.from_numpy(self.tokens.numbers[places].astype(np.int64))
        return tokens if self.device.type == "cpu" else send(tokens, self.device)

    def to(self, device: torch.device | str) -> Windows:
        return Windows(self.tokens, self.length, seed=self.seed, device=device)


def load(
    files: Mapping[str, list[Path]],
    *,
    tokenizer: Tokenizer,
    length: int,
    validation: float,
    test: float,
    seed: int,
) -> Dataset:
    """Return the three parts of a text. UserError if one is too short for a window."""
    vocabulary, parts = prepare(spans(files, validation=validation, test=test), tokenizer)
    splits = {part: Windows(own, length, seed=seed if part == "train" else None) for part, own in parts.items()}
    for part, split in splits.items():
        if len(split) < 1:
            what = f"data.length is {length}, and the {part} text has {len(split.tokens.numbers)} tokens"
            longest = min(len(parts["train"].numbers) // 2, *(len(each.numbers) - 1 for each in parts.values()))
            raise UserError(f"{what}: too few for a window", f"nearest: data.length={longest}" if longest > 1 else None)
    return Dataset(
        splits["train"],
        splits["validation"],
        splits["test"],
        (length,),
        vocabulary=vocabulary,
        noun="windows",
    )
