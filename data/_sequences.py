"""Sequences of tokens with labels, padded to the longest of a batch.

b sequences in a batch, n tokens of its longest, r sequences in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cn import UserError
from cn.errors import short
from data._batch import send
from data._dataset import Split
from data._progress import bar
from data._seed import seed_of
from data.tokenizer._vocabulary import FIRST, PAD, SEPARATOR, Numbers, Vocabulary

POOL = 50  # batches whose sequences are sorted by length together
BLOCK = 1024  # rows tokenized at once

Flat = npt.NDArray[np.unsignedinteger[Any]]


class Sequences(Split):
    """Batches of `tokens`, `kinds` (0 in the first sentence, 1 in the second) and `visible` (false for padding).

    Each of these is `b n`. `label` is `b`, and so is `row`, the index of each sequence in the split.

    tokens: of all sequences, concatenated. starts: begin of each sequence, and the end of the last, `r+1`.
    seconds: number of tokens before each second sentence, `r`. labels: `r`.
    """

    on_host = True

    def __init__(
        self,
        tokens: Flat,
        starts: Numbers,
        seconds: Numbers,
        labels: Tensor,
        *,
        pad: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.tokens, self.starts, self.seconds, self.labels = tokens, starts, seconds, labels
        self.lengths = np.diff(starts)
        self.pad, self.device = pad, torch.device(device)

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, index: Tensor) -> dict[str, Tensor]:
        row = index.cpu()
        rows = row.numpy()
        lengths = self.lengths[rows][:, None]
        places = np.arange(lengths.max())
        visible = places < lengths
        found = self.tokens[np.where(visible, self.starts[rows][:, None] + places, 0)]
        made = {
            "tokens": torch.from_numpy(np.where(visible, found, self.pad).astype(np.int64)),
            "kinds": torch.from_numpy((visible & (places >= self.seconds[rows][:, None])).astype(np.int64)),
            "visible": torch.from_numpy(visible),
            "label": self.labels[row],
            "row": row,
        }
        return send(made, self.device)

    def arranged(self, order: Tensor, batch: int) -> Tensor:
        """Group sequences of similar lengths into batches: sort the order in pools, then shuffle the batches.

        The last examples, too few for a batch, stay last. Randomness is derived from the order.
        """
        whole = len(order) // batch * batch
        if not whole:
            return order
        lengths = torch.from_numpy(self.lengths)
        pools = [pool[lengths[pool].argsort(stable=True)] for pool in order[:whole].split(POOL * batch)]
        seed = seed_of(*order[:8].tolist())
        shuffled = torch.randperm(whole // batch, generator=torch.Generator().manual_seed(seed))
        return torch.cat([torch.cat(pools).view(-1, batch)[shuffled].flatten(), order[whole:]])

    def to(self, device: torch.device | str) -> Sequences:
        return Sequences(self.tokens, self.starts, self.seconds, self.labels, pad=self.pad, device=device)


def sequences(sentences: Sequence[list[str]], labels: Tensor, vocabulary: Vocabulary, *, length: int) -> Sequences:
    """Return rows of one or two sentences as [CLS] a [SEP] or [CLS] a [SEP] b [SEP], if the vocabulary has these
    tokens.

    sentences: by column. length: maximum of tokens per row. UserError for a row without a token.
    """
    count, pair = len(labels), len(sentences) == 2
    first, last = ([vocabulary.special[name]] if name in vocabulary.special else [] for name in (FIRST, SEPARATOR))
    between = last or ([*vocabulary.encode(["\n"])[0]] if pair else [])  # one line per sentence without separators
    room = length - len(first) - len(last) - (len(between) if pair else 0)
    blocks: list[Flat] = []
    lengths, seconds = np.zeros(count, np.int64), np.zeros(count, np.int64)
    with bar("sentences to tokens") as show:
        for start in range(0, count, BLOCK):
            parts: list[Any] = []
            encoded = (vocabulary.encode(column[start : start + BLOCK]) for column in sentences)
            for row, texts in enumerate(zip(*encoded, strict=True), start):
                a, *b = _cut(texts, room)
                before = len(first) + len(a) + len(last if not b else between)
                parts += [first, a, last] if not b else [first, a, between, *b, last]
                seconds[row], lengths[row] = before, before + (len(b[0]) + len(last) if b else 0)
            blocks.append(np.concatenate(parts).astype(vocabulary.dtype))
            show(min(start + BLOCK, count), count)
    if not lengths.all():
        text = short(repr(sentences[0][int(lengths.argmin())]))
        raise UserError(f"data.tokenizer: its {vocabulary.size} tokens have none for the sentence {text}")
    starts = np.concatenate([[0], lengths.cumsum()])
    return Sequences(np.concatenate(blocks), starts, seconds, labels, pad=vocabulary.special.get(PAD, 0))


def _cut(texts: tuple[Numbers, ...], room: int) -> list[Numbers]:
    """Cut one or two texts to `room` tokens together: the longer one is truncated until both are equally long."""
    if len(texts) == 1:
        return [texts[0][:room]]
    a, b = texts
    a = a[: max(room - len(b), (room + 1) // 2)]
    return [a, b[: room - len(a)]]
