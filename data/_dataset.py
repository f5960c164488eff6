"""Data sets as a run uses them: three splits that yield batches, and facts that decide a model's sizes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor

from cn import RunError
from data._batch import Batch

if TYPE_CHECKING:
    from data.tokenizer._vocabulary import Vocabulary

Epoch = tuple[int | None, Sequence[Tensor]]  # number and batch indices of an epoch; None: an evaluation


class BadExample(RunError):  # noqa: N818
    """An example cannot be loaded, or a worker process has died."""


class Stream(ABC):
    """Training examples in sequence: endless, or restarted after the last one."""

    length: int | None  # examples in an epoch; None: endless, and the run is one epoch

    @abstractmethod
    def batches(self, size: int, part: slice, *, together: int = 1) -> Iterator[Batch]:
        """Yield this process's part of each batch of `size` examples; `together` as in `Split.batches`."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return the position after the yielded batches, as tensors and plain values."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from a position."""

    @abstractmethod
    def to(self, device: torch.device | str) -> Self:
        """Return the same stream with batches on another device."""


class Split(ABC):
    """One of train, validation and test. With only `batch` defined, the split is held and indexed on one device."""

    on_host: ClassVar[bool] = False  # whether indices must be on the CPU
    counts: bool = True  # False: the last yielded batch replaces unreadable examples and is not measured
    damaged: dict[str, str] = {}  # examples left out: name -> error

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of examples."""

    @abstractmethod
    def batch(self, index: Tensor) -> Batch:
        """Return the examples at `index`, `b` int64 on the split's device, in that order."""

    def batches(self, epochs: Iterable[Epoch], *, together: int = 1) -> Iterator[Batch]:
        """Yield the batches of these epochs. A caller that stops early must call the iterator's `close`, if it has one.

        together: number of batches that must be loaded before the first of them is yielded.
        """
        return map(self.batch, chain.from_iterable(batches for _, batches in epochs))

    def arranged(self, order: Tensor, batch: int) -> Tensor:
        """Return the indices of an epoch in the order in which they are cut into batches.

        order: the indices shuffled by the seed; unshuffled in an evaluation. The result must depend only on the
        arguments, so
        that a run resumes identically on any number of processes.
        """
        return order

    @abstractmethod
    def to(self, device: torch.device | str) -> Self:
        """Return the same split on another device."""


@dataclass(frozen=True)
class Dataset:
    """Three disjoint splits, and the facts that a task and its model need."""

    train: Split | Stream
    validation: Split
    test: Split
    inputs: tuple[int, ...]  # the shape of one example: c h w of an image, f of a table's row
    classes: tuple[str, ...] = ()  # class names in label order; () without labels
    targets: tuple[str, ...] = ()  # names of an example's target numbers; () without targets
    unit: Tensor | None = None  # t: size of 1.0 of each scaled target in its own unit; None: 1
    noun: str = "examples"  # name of the examples on the screen
    vocabulary: Vocabulary | None = None  # of token examples
    world: Any = None  # the environment, if examples are states
    others: Mapping[str, Split] = field(default_factory=dict[str, Split])  # further test splits by name
    pixels: Callable[[Tensor], Tensor] | None = None  # from batch images to bytes, both b c h w; None: no images

    @property
    def length(self) -> int | None:
        """Number of training examples in an epoch; None for an endless stream."""
        return self.train.length if isinstance(self.train, Stream) else len(self.train)

    def to(self, device: torch.device | str) -> Dataset:
        """Return the same data on another device."""
        parts = (self.train.to(device), self.validation.to(device), self.test.to(device))
        others = {name: each.to(device) for name, each in self.others.items()}
        return replace(self, train=parts[0], validation=parts[1], test=parts[2], others=others)
