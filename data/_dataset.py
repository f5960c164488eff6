"""What a data set is to a run: three parts that give batches, and the facts that a model's sizes come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from cn import RunError
from data._batch import Batch

Epoch = tuple[int | None, Sequence[Tensor]]  # its number, and the indices of each batch; None: of an evaluation


class BadExample(RunError):  # noqa: N818
    """An example cannot be made, or a process that makes them has died."""


class Stream(ABC):
    """Training examples that come one after another: without an end, or again from the first after the last."""

    length: int | None  # examples up to its end, which are an epoch; None: it has none, and the run is one epoch

    @abstractmethod
    def batches(self, size: int, part: slice, *, together: int = 1) -> Iterator[Batch]:
        """This process's part of each batch of `size` examples, in turn; `together` as for `Split.batches`."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Where the stream is after the batches that were given, as tensors and plain values."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""

    @abstractmethod
    def to(self, device: torch.device | str) -> Self:
        """The same stream, whose batches are on another device."""


class Split(ABC):
    """One of train, validation and test. With `batch` alone it is held whole on one device, and indexed there."""

    on_host: ClassVar[bool] = False  # whether indices are wanted on the CPU, wherever the batches go
    counts: bool = True  # False: the batch that `batches` gave last stands for unreadable examples, and is not measured
    damaged: dict[str, str] = {}  # the examples that have been left out, by name, with why

    @abstractmethod
    def __len__(self) -> int:
        """How many examples there are."""

    @abstractmethod
    def batch(self, index: Tensor) -> Batch:
        """The examples at `index`, which is `b` int64 on the split's device, in that order."""

    def batches(self, epochs: Iterable[Epoch], *, together: int = 1) -> Iterator[Batch]:
        """The batches of these epochs, one after another. Whoever does not take all of them calls its `close`, if any.

        together: how many batches are made, or fail, before the first of them is given.
        """
        return map(self.batch, chain.from_iterable(batches for _, batches in epochs))

    @abstractmethod
    def to(self, device: torch.device | str) -> Self:
        """The same split on another device."""


@dataclass(frozen=True)
class Dataset:
    """Three disjoint splits, and what a task and its model must know of them."""

    train: Split | Stream
    validation: Split
    test: Split
    inputs: tuple[int, ...]  # the shape of one example: c h w of an image, f of a table's row
    classes: tuple[str, ...] = ()  # names in label order; empty where examples have no label
    targets: tuple[str, ...] = ()  # names of the numbers that belong to an example; empty where there are none
    unit: Tensor | None = None  # t: how much 1.0 of each target in a batch is, in the target's own unit; None: 1
    noun: str = "examples"  # what the screen calls them
    world: Any = None  # where examples are states of it: what acts on them
    pixels: Callable[[Tensor], Tensor] | None = None  # from images of a batch to bytes, both b c h w; None: no images

    @property
    def length(self) -> int | None:
        """How many training examples make an epoch; None where they have no end."""
        return self.train.length if isinstance(self.train, Stream) else len(self.train)

    def to(self, device: torch.device | str) -> Dataset:
        """The same data on another device."""
        parts = (self.train.to(device), self.validation.to(device), self.test.to(device))
        return replace(self, train=parts[0], validation=parts[1], test=parts[2])
