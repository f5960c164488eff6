"""Evaluate a split of the data, with all processes of a run together."""

from __future__ import annotations

import torch

from data import Split
from runs._training.measured import measured
from runs._training.order import close, placed
from runs._training.state import Training

LEAST = 500  # examples per process in a batch, if the run does not set it


def evaluate(training: Training, split: Split) -> dict[str, float]:
    """Return the task's metrics on a split; each example counts once over all processes."""
    training.evaluated.eval()
    ranks = training.ranks
    size = training.run.validate_batch or max(training.batch, LEAST) * ranks.size
    ranks.broadcast_module(training.evaluated, buffers=True)  # batch statistics differ between ranks; rank 0's are kept
    parts = placed(split.arranged(torch.arange(len(split)), size), split, training).split(size)
    own = [part[ranks.rank :: ranks.size] for part in parts]
    # as many batches in each process, since a batch may need a collective
    found = split.batches([(None, [each if len(each) else part[:1] for each, part in zip(own, parts, strict=True)])])
    counted = (len(each) > 0 and split.counts for each in own)  # read after each batch
    try:
        return measured(training.objective, training.predict, zip(found, counted, strict=True), ranks.all_sum)
    finally:
        close(found)
