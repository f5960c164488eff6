"""The order in which a run sees its data: a pure function of the seed and the epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from data import Stream, seed_of
from runs._device import send

if TYPE_CHECKING:
    from data import Batch, Split
    from runs._training import Training


def order(seed: int, epoch: int, length: int) -> Tensor:
    """The indices 0 to `length` - 1 as an epoch takes them, int64 on the CPU; each batch is divided among the ranks."""
    return torch.randperm(length, generator=torch.Generator().manual_seed(seed_of(seed, epoch)))


def feed(training: Training) -> Iterator[Batch]:
    """This process's part of each batch that is left of a run."""
    train, ranks, k = training.dataset.train, training.ranks, training.run.accumulate
    if training.step == training.steps or training.reason is not None:
        return iter(())
    if isinstance(train, Stream):
        return train.batches(training.batch, slice(ranks.rank, None, ranks.size), together=k)
    return train.batches(_epochs(training, train), together=k)


def _epochs(training: Training, split: Split) -> Iterator[tuple[int, list[Tensor]]]:
    """The number of each epoch that is left, and the indices of this process's part of each batch."""
    run, ranks = training.run, training.ranks
    step, per_epoch, k = training.step, training.per_epoch, training.run.accumulate
    while step < training.steps:
        epoch, start = divmod(step, per_epoch)
        end = min(per_epoch, start + training.steps - step)
        index = placed(order(run.seed, epoch, len(split)), split, training)
        parts = [part[ranks.rank :: ranks.size] for part in index.split(training.batch)]
        yield epoch, parts[start * k : end * k]
        step += end - start


def placed(index: Tensor, split: Split, training: Training) -> Tensor:
    """Indices where the split wants them."""
    return index if split.on_host else send(index, training.device.device)


def close(batches: Iterator[Batch]) -> None:
    """End whatever makes the batches."""
    end = getattr(batches, "close", None)
    if end is not None:
        end()
