"""Perplexity with a sliding window of n tokens, of which the last m are predicted."""

from __future__ import annotations

import math
from itertools import groupby
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from cn import UserError
from data.text._windows import Windows
from runs._training.state import Training
from runs.benchmark._report import bounds, report
from runs.benchmark._resampled import resampled
from runs.callbacks._hooks import Hooks, Metrics

AT_ONCE = 16  # windows
PUBLISHED = {  # perplexity of GPT-2's 117M without training on the text (Radford et al. 2019, table 3)
    "WikiText-2": 29.41,
    "PTB": 65.85,
    "WikiText-103": 37.50,
}


class Perplexity(Hooks):
    def __init__(self, *, stride: int) -> None:
        self.stride = stride

    def on_start(self, training: Training) -> None:
        length = cast("Windows", training.dataset.test).length
        if self.stride > length:
            what = f"{training.name_of(self)}.stride is {self.stride}, longer than a window of {length} tokens"
            raise UserError(what, f"nearest: {training.name_of(self)}.stride={length}")

    @torch.no_grad()
    def on_test(self, training: Training, metrics: Metrics) -> None:
        split, ranks = cast("Windows", training.dataset.test), training.ranks
        numbers, length = split.tokens.numbers, split.length
        training.evaluated.eval()
        every = batches(len(numbers), length, self.stride)
        counts = np.array([each.stop - each.first for batch in every for each in batch])  # predicted tokens per window
        ends = np.cumsum([len(batch) for batch in every])
        losses = torch.zeros(len(counts), dtype=torch.float64, device=training.device.device)  # of each window
        for start in range(0, len(every), ranks.size):  # every rank takes as many batches (collectives)
            place = start + ranks.rank
            found = _losses(training, numbers, every[min(place, len(every) - 1)])
            if place < len(every):
                losses[ends[place] - len(found) : ends[place]] = found
        each = ranks.all_sum(losses).cpu().numpy()
        loss, tokens, size = float(each.sum()), len(numbers) - 1, split.tokens.bytes
        found = {"perplexity": math.exp(loss / tokens), "bits_per_byte": loss / math.log(2) / size}
        metrics |= {f"test/sliding_{name}": value for name, value in found.items()}
        if ranks.first and training.run.mode == "train":  # mode=eval leaves the folder unchanged
            drawn = resampled(
                len(each),
                lambda index: {"sliding_perplexity": math.exp(each[index].sum() / counts[index].sum())},
                examples=[f"{length} {self.stride}".encode(), np.ascontiguousarray(numbers)],
            )
            own = f"{type(training.run.data).__name__}, test text, window {length}, stride {self.stride}"
            within = bounds(drawn, "sliding_perplexity", lambda value: f"{value:.2f}")
            rows = [[f"this run: {own}", f"{found['perplexity']:.2f}", within, f"{found['bits_per_byte']:.4f}"]]
            rows += [
                [f"published: GPT-2 117M, {name}, zero-shot", f"{value:.2f}", "-", "-"]
                for name, value in PUBLISHED.items()
            ]
            report(
                training.folder,
                "language_modeling",
                {"tokens": tokens, "bytes": size, "stride": self.stride, **found, "published": PUBLISHED},
                title="Perplexity by a sliding window",
                header=["model", "perplexity", "95 %", "bits per byte"],
                rows=rows,
                resampled=drawn,
                examples="windows",
                say=training.say,
            )


class Window(NamedTuple):
    """Tokens `start` to `stop`; those from `first` on are predicted."""

    start: int
    first: int
    stop: int


def batches(tokens: int, length: int, stride: int) -> list[list[Window]]:
    """Return batches of windows of `length` inputs; within a batch all windows predict the same number of tokens."""
    stop = min(length + 1, tokens)
    found = [Window(0, 1, stop)]
    while stop < tokens:
        first, stop = stop, min(stop + stride, tokens)
        found.append(Window(stop - length - 1, first, stop))
    alike = [
        list(each) for _, each in groupby(found, key=lambda each: (each.stop - each.start, each.stop - each.first))
    ]
    return [each[start : start + AT_ONCE] for each in alike for start in range(0, len(each), AT_ONCE)]


def _losses(training: Training, numbers: Any, batch: list[Window]) -> Tensor:
    """Return the sum of the losses of each window's predictions, fp64."""
    tokens = torch.stack([torch.from_numpy(numbers[each.start : each.stop].astype("int64")) for each in batch])
    tokens = tokens.to(training.device.device)
    start, first, stop = batch[0]
    at = torch.arange(first - start - 1, stop - start - 1, device=tokens.device).expand(len(batch), -1)
    return training.predict(tokens[:, :-1], at, tokens[:, 1:].gather(1, at), None, False, True).double()
