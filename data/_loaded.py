"""Examples that are made one by one, from files or by computing, ahead of the loop and by processes of their own.

Each is a pure function of the seed, the epoch and its index: Python's, NumPy's and torch's global generators are
seeded before it is made, so that any data set and any transform may draw from them.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import default_collate

from cn import RunError
from cn.errors import lines
from data._batch import Batch, changed
from data._dataset import Epoch, Split

Key = tuple[int | None, int]  # the epoch, None in an evaluation, and the index of an example
Finish = Callable[[Batch], Batch]
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
ASKED = (signal.SIGINT, signal.SIGTERM)  # to stop


class BadExample(RunError):  # noqa: N818
    """An example cannot be made, or a process that makes them has died."""


class Examples(Protocol):
    """Any map-style data set of torch; `name(index)` is told of an example that cannot be made, where there is one."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class Damage(NamedTuple):
    """An example that could not be made."""

    name: str
    why: str


class Made(NamedTuple):
    """A batch; None where nothing could be made."""

    batch: Batch | None
    damaged: list[Damage]
    counts: bool = True  # False: of an evaluation, where another example stands for a batch none of which could be made


class Loaded(Split):
    """Examples of a map-style data set: nested tuples or dicts of tensors, arrays and numbers.

    workers: processes that make them; 0: this one does, when they are asked for.
    on_damaged: with `skip`, in training the next example that can be made takes the place of one that cannot, and in
    an evaluation there is one fewer.
    finish: from a batch on the device to what the network is given, such as bytes that become numbers there.
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
        self.damaged: dict[str, str] = {}  # the examples that have been left out, with why

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
        """The examples at `index`, `b` int64, made by this process as an evaluation has them."""
        made = _Maker(self.examples, self.seed, self.on_damaged)([(None, each) for each in index.tolist()])
        return self._finished(self._sent(self._readable(made)))

    def batches(self, epochs: Iterable[Epoch], *, together: int = 1) -> Iterator[Batch]:
        with closing(self._ahead(epochs)) as found:
            while group := list(islice(found, together)):
                group.reverse()
                while group:
                    batch, self.counts = group.pop()
                    yield batch

    def _ahead(self, epochs: Iterable[Epoch]) -> Generator[tuple[Batch, bool]]:
        """The batches, and whether each counts; while one is worked on, the next is on its way to the device."""
        keys = ([(epoch, each) for each in index.tolist()] for epoch, batches in epochs for index in batches)
        maker = _Maker(self.examples, self.seed, self.on_damaged)
        with closing(_worked(self, maker, keys) if self.workers else (maker(each) for each in keys)) as source:
            if self.device.type != "cuda":
                for each in source:
                    yield self._finished(self._sent(self._readable(each))), each.counts
                return
            beside = torch.cuda.Stream(self.device)
            before: tuple[Batch, bool] | None = None
            for each in source:
                with torch.cuda.stream(beside):
                    sent = self._sent(self._readable(each))
                if before is not None:
                    yield self._finished(before[0]), before[1]
                torch.cuda.current_stream(self.device).wait_stream(beside)
                before = changed(sent, _kept_for(torch.cuda.current_stream(self.device))), each.counts
            if before is not None:
                yield self._finished(before[0]), before[1]

    def _readable(self, made: Made) -> Batch:
        """The batch, where nothing of it ends the run."""
        for name, why in made.damaged:
            if self.on_damaged == "stop":
                raise BadExample(lines(f"{name}: {why}", "to leave out what cannot be read: data.on_damaged=skip"))
            self.damaged[name] = why
        if made.batch is None:
            first = made.damaged[0]
            raise BadExample(f"none of {len(self)} examples can be read: {first.name}: {first.why}")
        return made.batch

    def _sent(self, batch: Batch) -> Batch:
        return changed(batch, lambda each: each.to(self.device, non_blocking=True))

    def _finished(self, batch: Batch) -> Batch:
        return batch if self.finish is None else self.finish(batch)


def _worked(split: Loaded, maker: _Maker, keys: Iterator[list[Key]]) -> Generator[Made]:
    """What worker processes make of these keys, in their order. They end with this generator."""
    before = signal.getsignal(signal.SIGCHLD)
    with _signals_wait(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)  # more than cores, as was asked
        loader: Any = DataLoader(
            maker,  # pyright: ignore[reportArgumentType]
            sampler=keys,
            batch_size=None,
            num_workers=split.workers,
            worker_init_fn=partial(_begin, os.getpid()),
            pin_memory=split.device.type == "cuda",
            collate_fn=_as_it_is,
            generator=torch.Generator(),  # else it draws from the global one
        )
        made = iter(loader)
    if threading.current_thread() is threading.main_thread() and before is not None:
        signal.signal(signal.SIGCHLD, before)  # torch's would raise amid a step; it asks after its workers besides
    try:
        yield from made
    except (RuntimeError, OSError, EOFError):  # the last two where it dies while a batch is fetched from it
        died = [told for each in made._workers if (told := _end(each)) is not None]
        if not died:
            raise
        what = "a process that makes examples has died, as where memory or room in /dev/shm is short"
        raise BadExample(lines(what, died[0], "fewer processes: data.workers=1")) from None
    finally:
        try:
            made._shutdown_workers()
        finally:
            for each in made._workers:  # one that is amid an example for 5 s is asked by SIGTERM, and does not hear it
                each.kill()
                each.join()


def _end(worker: Any) -> str | None:
    """How it ended, otherwise than by itself."""
    worker.join(0.1)  # s; the connection to it ends before it does
    status = worker.exitcode
    if not status:
        return None
    return (
        f"process {worker.pid} was ended by {signal.Signals(-status).name}"
        if status < 0
        else (f"process {worker.pid} ended with exit status {status}")
    )


@contextmanager
def _signals_wait() -> Iterator[None]:
    """A process that is started within it hears of Ctrl-C and SIGTERM when it lets them through: see `_begin`."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ASKED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _as_it_is(made: Any) -> Any:
    return made


def _begin(parent: int, number: int) -> None:
    """In a worker: whoever started it is asked to stop, and ends it in its own time; killed, it takes this one along.

    torch's workers would live on for 5 s, with the lock of the run's folder.
    """
    for each in ASKED:
        signal.signal(each, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ASKED)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it was killed before
            os._exit(0)


class _Maker:
    """Makes the batch of some keys, in whichever process it is called."""

    def __init__(self, examples: Examples, seed: int, on_damaged: str) -> None:
        self.examples, self.seed, self.skips = examples, seed, on_damaged == "skip"

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, keys: list[Key]) -> Made:
        return self(keys)

    def __call__(self, keys: list[Key]) -> Made:
        found: list[Any] = []
        damaged: list[Damage] = []
        with _generators_kept():
            for epoch, index in keys:
                made = self._first(epoch, index, len(self) if self.skips and epoch is not None else 1, damaged)
                if made:
                    found += made
                elif epoch is not None or not self.skips:
                    return Made(None, damaged)
            if found:
                return Made(default_collate(found), damaged)
            other = self._first(None, keys[-1][1] + 1, len(self) - 1, damaged)
        return Made(default_collate(other) if other else None, damaged, counts=False)

    def _first(self, epoch: int | None, index: int, tries: int, damaged: list[Damage]) -> list[Any]:
        """The first example that can be made, if there is one; those before it are added to the damaged ones."""
        for other in range(index, index + tries):
            made = self._one(epoch, other % len(self))
            if not isinstance(made, Damage):
                return [made]
            damaged.append(made)
        return []

    def _one(self, epoch: int | None, index: int) -> Any:
        words = hashlib.blake2b(f"{self.seed} {epoch} {index}".encode(), digest_size=8).digest()
        own = int.from_bytes(words, "little") >> 1
        random.seed(own)
        np.random.seed(own % 2**32)
        torch.default_generator.manual_seed(own)
        try:
            return self.examples[index]
        except Exception as error:
            name = getattr(self.examples, "name", None)
            said = " ".join(str(error).split())
            why = said if isinstance(error, OSError) and said else f"{type(error).__name__}: {said}".removesuffix(": ")
            return Damage(f"example {index}" if name is None else str(name(index)), why)


@contextmanager
def _generators_kept() -> Iterator[None]:
    """The global generators are afterwards what they were."""
    python, numpy, own = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(own)


def _kept_for(stream: Any) -> Callable[[Tensor], Tensor]:
    """Tells of a tensor that another stream has made that this one uses it, so that its memory stays."""

    def keep(tensor: Tensor) -> Tensor:
        tensor.record_stream(stream)
        return tensor

    return keep


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
