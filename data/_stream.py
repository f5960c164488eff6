"""Examples from an iterable, in its order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import torch
from torch.utils.data.dataloader import default_collate

from cn import RunError
from data._batch import Batch, send
from data._dataset import Stream


class Streamed(Stream):
    """Nested tuples or dicts of tensors, arrays and numbers, one example after another.

    examples: iterated again at its end. If it has `state_dict` and `load_state_dict`, as a Hugging Face
    `IterableDataset`, a resumed run skips earlier examples without reading; otherwise, and with a shuffle buffer of
    that library, they are read and dropped. Each pass calls `set_epoch(number)`, if defined.
    length: examples in a pass; None: endless.
    finish: converts a batch on the device to the network's input.

    Each process of a run reads the whole stream and keeps its part.
    """

    def __init__(
        self,
        examples: Iterable[Any],
        *,
        length: int | None = None,
        finish: Callable[[Batch], Batch] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.examples, self.length, self.finish, self.device = examples, length, finish, torch.device(device)
        self.epoch, self.taken = 0, 0  # completed passes, and examples of the current one
        self._state: Any = None  # state of the iterable to resume from

    def to(self, device: torch.device | str) -> Streamed:
        found = Streamed(self.examples, length=self.length, finish=self.finish, device=device)
        found.epoch, found.taken, found._state = self.epoch, self.taken, self._state
        return found

    def batches(self, size: int, part: slice, *, together: int = 1) -> Iterator[Batch]:
        source = self._endless()
        while True:
            for group in [list(islice(source, size))[part] for _ in range(together)]:
                batch = send(default_collate(group), self.device)
                yield batch if self.finish is None else self.finish(batch)

    def _endless(self) -> Iterator[Any]:
        examples: Any = self.examples
        while True:
            if hasattr(examples, "set_epoch"):
                examples.set_epoch(self.epoch)
            if self._state is not None:
                examples.load_state_dict(self._state)
            again = self.taken if self._state is None else 0
            self._state = None
            for each in islice(examples, again, None):
                self.taken += 1
                yield each
            if self.taken == 0:
                raise RunError(f"{type(examples).__name__} gave no example: a stream must have one")
            self.epoch, self.taken = self.epoch + 1, 0

    def state_dict(self) -> dict[str, Any]:
        own = getattr(self.examples, "state_dict", None)
        return {"epoch": self.epoch, "taken": self.taken, "examples": None if own is None else own()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epoch, self.taken = state["epoch"], state["taken"]
        self._state = None if _buffered(getattr(self.examples, "_ex_iterable", None)) else state["examples"]


def _buffered(source: Any) -> bool:
    """Return whether a Hugging Face source shuffles in a buffer, whose content its state lacks and would lose."""
    inner = [getattr(source, "ex_iterable", None), *getattr(source, "ex_iterables", ())]
    return type(source).__name__.startswith("BufferShuffled") or any(map(_buffered, filter(None, inner)))
