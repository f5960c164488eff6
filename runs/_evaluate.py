"""The metrics of a split of the data, by all processes of a run together."""

from __future__ import annotations

import torch

from data import Split
from runs._measured import measured
from runs._order import close, placed
from runs._training import Training

LEAST = 500  # examples that each process measures at once, where the run does not say


def evaluate(training: Training, split: Split) -> dict[str, float]:
    """What the task measures on a split, each example once, by all processes together."""
    training.evaluated.eval()
    ranks = training.ranks
    size = training.run.validate_batch or max(training.batch, LEAST) * ranks.size
    ranks.share(training.evaluated, buffers=True)  # each has statistics of its own, and the first one's are kept
    parts = placed(torch.arange(len(split)), split, training).split(size)
    own = [part[ranks.rank :: ranks.size] for part in parts]
    # as many batches in each process, where they need each other for one
    found = split.batches([(None, [each if len(each) else part[:1] for each, part in zip(own, parts, strict=True)])])
    counted = (len(each) > 0 and split.counts for each in own)  # asked for after each batch
    try:
        return measured(training.objective, training.predict, zip(found, counted, strict=True), ranks.total)
    finally:
        close(found)
