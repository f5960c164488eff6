"""The metrics of a split of the data, by all processes of a run together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from data import Split
from runs._measured import measured
from runs._training import Training

LEAST = 500  # examples that each process measures at once, where the run does not say


def evaluate(training: Training, split: Split) -> dict[str, float]:
    """What the task measures on a split, each example once, by all processes together."""
    training.evaluated.eval()
    device, ranks = training.device.device, training.ranks
    size = training.run.validate_batch or max(training.batch, LEAST) * ranks.size
    ranks.share(training.evaluated, buffers=True)  # each has statistics of its own, and the first one's are kept

    def batches() -> Iterator[tuple[Any, bool]]:
        for part in torch.arange(len(split), device=device).split(size):
            own = part[ranks.rank :: ranks.size]  # as many batches in each, where they need each other for one
            yield split.batch(own if len(own) else part[:1]), len(own) > 0

    return measured(training.objective, training.predict, batches(), len(split), ranks.total)
