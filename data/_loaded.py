"""Examples that worker processes load or compute ahead of the loop."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from itertools import islice
from typing import Any, Literal

import torch
from torch import Tensor

from cn.errors import lines
from data._batch import Batch, changed, send
from data._dataset import BadExample, Epoch, Split
from data._maker import Examples, Key, Made, Maker

Finish = Callable[[Batch], Batch]


class Loaded(Split):
    """Examples of a map-style data set: nested tuples or dicts of tensors, arrays and numbers.

    workers: number of worker processes; 0: this process loads examples when they are needed.
    on_damaged: with `skip`, an unreadable example is replaced by the next readable one in training, and omitted in an
    evaluation.
    finish: converts a batch on the device to the network's input, such as bytes to numbers.
    """

    on_host = True

    def __init__(
        self,
        examples: Examples,
        *,
        seed: int,
        workers: int,
        on_damaged: Literal["stop", "skip"] = "stop",
        finish: Finish | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.examples, self.seed, self.workers = examples, seed, workers
        self.on_damaged: Literal["stop", "skip"] = on_damaged
        self.finish, self.device = finish, torch.device(device)
        self.counts = True
        self.damaged: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.examples)

    def to(self, device: torch.device | str) -> Loaded:
        found = Loaded(
            self.examples,
            seed=self.seed,
            workers=self.workers,
            on_damaged=self.on_damaged,
            finish=self.finish,
            device=device,
        )
        found.damaged = self.damaged
        return found

    def batch(self, index: Tensor) -> Batch:
        """Return the examples at `index`, `b` int64, loaded by this process as in an evaluation."""
        made = Maker(self.examples, self.seed, self.on_damaged)([(None, each) for each in index.tolist()])
        return self._finished(send(self._readable(made), self.device))

    def batches(self, epochs: Iterable[Epoch], *, together: int = 1) -> Iterator[Batch]:
        with closing(self._ahead(epochs)) as found:
            while group := list(islice(found, together)):
                group.reverse()
                while group:
                    batch, self.counts = group.pop()
                    yield batch

    def _ahead(self, epochs: Iterable[Epoch]) -> Generator[tuple[Batch, bool]]:
        """Yield the batches, and whether each counts; the next batch is copied to the device during the current one."""
        keys = ([(epoch, each) for each in index.tolist()] for epoch, batches in epochs for index in batches)
        maker = Maker(self.examples, self.seed, self.on_damaged)
        with closing(self._made(maker, keys)) as source:
            if self.device.type != "cuda":
                for each in source:
                    yield self._finished(send(self._readable(each), self.device)), each.counts
                return
            beside = torch.cuda.Stream(self.device)
            before: tuple[Batch, bool] | None = None
            for each in source:
                with torch.cuda.stream(beside):
                    here = send(self._readable(each), self.device)
                if before is not None:
                    yield self._finished(before[0]), before[1]
                torch.cuda.current_stream(self.device).wait_stream(beside)
                before = changed(here, _kept_for(torch.cuda.current_stream(self.device))), each.counts
            if before is not None:
                yield self._finished(before[0]), before[1]

    def _made(self, maker: Maker, keys: Iterator[list[Key]]) -> Generator[Made]:
        if not self.workers:
            return (maker(each) for each in keys)
        from data._workers import worked

        return worked(maker, keys, workers=self.workers, pinned=self.device.type == "cuda")

    def _readable(self, made: Made) -> Batch:
        """Return the batch; BadExample if a damaged example ends the run."""
        for name, why in made.damaged:
            if self.on_damaged == "stop":
                raise BadExample(lines(f"{name}: {why}", "to leave out what cannot be read: data.on_damaged=skip"))
            self.damaged[name] = why
        if made.batch is None:
            first = made.damaged[0]
            raise BadExample(f"none of {len(self)} examples can be read: {first.name}: {first.why}")
        return made.batch

    def _finished(self, batch: Batch) -> Batch:
        return batch if self.finish is None else self.finish(batch)


def _kept_for(stream: Any) -> Callable[[Tensor], Tensor]:
    """Mark a tensor from another stream as used by this one, so that its memory is not reused early."""

    def keep(tensor: Tensor) -> Tensor:
        tensor.record_stream(stream)
        return tensor

    return keep
