"""The order in which a run sees its data: a pure function of the seed and the epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from data import Stream, seed_of, send

if TYPE_CHECKING:
    from data import Batch, Split
    from runs._training.state import Training


def order(seed: int, epoch: int, length: int) -> Tensor:
    """Return a permutation of 0 to `length` - 1 for an epoch, int64 on the CPU; ranks divide each batch."""
    return torch.randperm(length, generator=torch.Generator().manual_seed(seed_of(seed, epoch)))


def feed(training: Training) -> Iterator[Batch]:
    """Yield this process's part of each remaining batch of a run."""
    train, ranks, k = training.dataset.train, training.ranks, training.run.accumulate
    if training.step == training.steps or training.reason is not None:
        return iter(())
    if isinstance(train, Stream):
        return train.batches(training.batch, slice(ranks.rank, None, ranks.size), together=k)
    return train.batches(_epochs(training, train), together=k)


def _epochs(training: Training, split: Split) -> Iterator[tuple[int, list[Tensor]]]:
    """Yield the number of each remaining epoch, and the indices of this process's part of each batch."""
    run, ranks = training.run, training.ranks
    step, per_epoch, k = training.step, training.per_epoch, training.run.accumulate
    while step < training.steps:
        epoch, start = divmod(step, per_epoch)
        end = min(per_epoch, start + training.steps - step)
        index = split.arranged(order(run.seed, epoch, len(split)), training.batch)
        parts = [part[ranks.rank :: ranks.size] for part in placed(index, split, training).split(training.batch)]
        yield epoch, parts[start * k : end * k]
        step += end - start


def placed(index: Tensor, split: Split, training: Training) -> Tensor:
    """Move indices to the device that the split needs."""
    return index if split.on_host else send(index, training.device.device)


def close(batches: Iterator[Batch]) -> None:
    """Close the iterator, which ends its workers."""
    end = getattr(batches, "close", None)
    if end is not None:
        end()
