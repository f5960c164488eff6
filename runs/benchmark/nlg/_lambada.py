"""LAMBADA: the last word of a passage. b passages of n tokens, k of them of the last word; v tokens."""

from __future__ import annotations

import json
import math
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from cn import UserError
from cn.errors import short
from data import Dataset
from data.text._windows import Windows
from runs._training.state import Training
from runs.benchmark._report import bounds, report
from runs.benchmark._resampled import resampled
from runs.callbacks._hooks import Hooks, Metrics

AT_ONCE = 16  # passages
ADDRESS = "https://openaipublic.blob.core.windows.net/gpt-2/data/lambada_test.jsonl"  # the passages used for GPT-2
PUBLISHED = {"accuracy": 45.99, "perplexity": 35.13}  # GPT-2's 117M, zero-shot (Radford et al. 2019, table 3)


class LastWords(Hooks):
    def __init__(self, path: Path) -> None:
        self.path = path.expanduser()

    def on_start(self, training: Training) -> None:
        """Read the passages before training, so that a wrong file fails early."""
        length = cast("Windows", training.dataset.test).length
        name = training.name_of(self)
        self.passages = [
            _tokens(text, training.dataset, length, f"'{self.path}', line {number}")
            for number, text in read(self.path, name=name)
        ]

    @torch.no_grad()
    def on_test(self, training: Training, metrics: Metrics) -> None:
        ranks, device = training.ranks, training.device.device
        training.evaluated.eval()
        every = batches(self.passages)
        found = torch.zeros(2, len(self.passages), dtype=torch.float64, device=device)  # losses, and 1 if correct
        for start in range(0, len(every), ranks.size):  # every rank takes as many batches (collectives)
            place = start + ranks.rank
            batch = every[min(place, len(every) - 1)]
            own = _predicted(training, [self.passages[each] for each in batch])
            if place < len(every):
                found[:, torch.tensor(batch, device=device)] = own
        losses, right = ranks.all_sum(found).cpu().numpy()

        def measured(index: Any) -> dict[str, float]:
            return {
                "lambada_accuracy": float(right[index].mean()),
                "lambada_perplexity": math.exp(losses[index].mean()),
            }

        values = measured(slice(None))
        metrics |= {f"test/{name}": value for name, value in values.items()}
        if ranks.first and training.run.mode == "train":  # mode=eval leaves the folder unchanged
            examples = [np.array(each.tokens) for each in self.passages]
            drawn = resampled(len(losses), measured, examples=examples)
            accuracy, perplexity = values.values()
            row = ["this run", f"{100 * accuracy:.2f}", bounds(drawn, "lambada_accuracy", lambda x: f"{100 * x:.2f}")]
            row += [f"{perplexity:.2f}", bounds(drawn, "lambada_perplexity", lambda x: f"{x:.2f}")]
            published = [f"{PUBLISHED[name]:.2f}" for name in ("accuracy", "perplexity")]
            report(
                training.folder,
                "lambada",
                {"passages": len(losses), "accuracy": accuracy, "perplexity": perplexity, "published": PUBLISHED},
                title="LAMBADA: the last word of a passage",
                header=["model", "accuracy", "95 %", "perplexity", "95 %"],
                rows=[row, ["published: GPT-2 117M, zero-shot", published[0], "-", published[1], "-"]],
                resampled=drawn,
                examples="passages",
                say=training.say,
            )


class Passage(NamedTuple):
    """The tokens of a passage; the `last` ones are its last word."""

    tokens: list[int]
    last: int


def read(path: Path, *, name: str) -> list[tuple[int, str]]:
    """Return the passages in a file, each with its line number. UserError if the file is missing or empty.

    name: the address of the benchmark in the run.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        what = f"{name}.path is '{path}', and there is no such file"
        raise UserError(what, f"to have the published one: curl -O {ADDRESS}") from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise UserError(f"{name}.path is '{path}', which cannot be read: {why}") from None
    written = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    found = [(number, _passage(line, path, number) if path.suffix == ".jsonl" else line) for number, line in written]
    if not found:
        raise UserError(f"{name}.path is '{path}', which holds no passage", "it must hold one a line")
    for number, passage in found:
        if len(passage.split()) < 2:
            what = f"'{path}', line {number}, is {short(repr(passage))}: a passage has two words or more"
            raise UserError(what)
    return [(number, passage.strip()) for number, passage in found]


def _passage(line: str, path: Path, number: int) -> str:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if isinstance(record, dict) and isinstance(text := cast("dict[str, Any]", record).get("text"), str):
        return text
    raise UserError(f"'{path}', line {number}, is {short(repr(line))}", 'it must be: {"text": "a passage"}')


def _tokens(text: str, dataset: Dataset, length: int, where: str) -> Passage:
    """Return the end of a passage, at most `length` inputs; the space before the last word belongs to that word."""
    assert dataset.vocabulary is not None
    before, word = text.rsplit(maxsplit=1)
    context, last = (each.tolist() for each in dataset.vocabulary.encode([before, f" {word}"]))
    if not context or not 0 < len(last) <= length:
        what = f"{where}: its last word {short(repr(word))} is {len(last)} tokens after {len(context)}"
        raise UserError(what, f"it must be 1 to {length} tokens, as a window is, after 1 or more")
    return Passage([*context, *last][-length - 1 :], len(last))


def batches(passages: list[Passage]) -> list[list[int]]:
    """Return batches of passage indices; within a batch all last words have the same number of tokens."""
    order = sorted(range(len(passages)), key=lambda each: (passages[each].last, len(passages[each].tokens)))
    alike = [list(own) for _, own in groupby(order, key=lambda each: passages[each].last)]
    return [own[start : start + AT_ONCE] for own in alike for start in range(0, len(own), AT_ONCE)]


def _predicted(training: Training, passages: list[Passage]) -> Tensor:
    """Return the loss of each last word, and 1 if each of its tokens is the most likely: `2 b`, fp64.

    Shorter passages are padded at the end, which no earlier token attends to.
    """
    longest, count = max(len(each.tokens) for each in passages), passages[0].last
    filled = torch.tensor([each.tokens + [0] * (longest - len(each.tokens)) for each in passages])
    ends = torch.tensor([len(each.tokens) for each in passages])
    at = ends[:, None] - count - 1 + torch.arange(count)  # position before each predicted token
    filled, at = filled.to(training.device.device), at.to(training.device.device)
    logits = training.predict(filled[:, :-1], at).float()  # b k v
    targets = filled.gather(1, at + 1)
    loss = (logits.logsumexp(dim=2) - logits.gather(2, targets[..., None])[..., 0]).sum(dim=1)
    right = (logits.argmax(dim=2) == targets).all(dim=1)
    return torch.stack([loss.double(), right.double()])
