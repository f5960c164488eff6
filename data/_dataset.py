"""What a data set is to a run: three splits that give batches, and the facts that a model's sizes come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

Batch = Any  # a tensor, or any nested tuple or dict of tensors; each tensor's first dimension counts the examples


class Split(ABC):
    """One of train, validation and test, held whole on one device and indexed there."""

    @abstractmethod
    def __len__(self) -> int:
        """How many examples there are."""

    @abstractmethod
    def batch(self, index: Tensor) -> Batch:
        """The examples at `index`, which is `b` int64 on the split's device, in that order."""

    @abstractmethod
    def to(self, device: torch.device | str) -> Self:
        """The same split on another device."""


@dataclass(frozen=True)
class Dataset:
    """Three disjoint splits, and what a task and its model must know of them."""

    train: Split
    validation: Split
    test: Split
    inputs: tuple[int, ...]  # the shape of one example: c h w of an image, f of a table's row
    classes: tuple[str, ...] = ()  # names in label order; empty where examples have no label
    targets: tuple[str, ...] = ()  # names of the numbers that belong to an example; empty where there are none
    unit: Tensor | None = None  # t: how much 1.0 of each target in a batch is, in the target's own unit; None: 1
    noun: str = "examples"  # what the screen calls them
    pixels: Callable[[Tensor], Tensor] | None = None  # from images of a batch to bytes, both b c h w; None: no images

    def to(self, device: torch.device | str) -> Dataset:
        """The same data on another device."""
        parts = (self.train.to(device), self.validation.to(device), self.test.to(device))
        return replace(self, train=parts[0], validation=parts[1], test=parts[2])
