"""The processes of one run: which of them this is, and what they tell each other. One alone tells nobody anything."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cn import CNError, RunError
from data import seed_of

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from torch import Tensor, nn

T = TypeVar("T")
FILES = "CN_RANK_FILES"  # set where each rank but the first prints to a file in the run's folder
FAILED, STOPPED = "failed", "stopped"  # keys under which a rank says why it ends; STOPPED: it was asked to
ENDS = ("closed", "reset by peer", "broken pipe", "got 0 bytes", "remote process")  # in what torch, gloo, NCCL say

starter: Connection | None = None  # to the process that started this one, if that is ours: runs/launch/_processes.py


class Lost(RunError):  # noqa: N818
    """Another process of the run is gone; what ended it is that process's to tell."""


@dataclass(frozen=True)
class Ranks:
    """This process among those of its run. Whatever moves data is called by all of them, in the same order."""

    rank: int = 0
    size: int = 1
    local: int = 0  # among those of this machine
    store: Any = None  # texts that all of them can read; None: alone
    kept: Any = None  # texts that outlive them, for torchrun to start them again; None: another started them

    @property
    def first(self) -> bool:
        """Whether this process writes: the folder, the metrics and the screen are its own."""
        return self.rank == 0

    def told(self, action: Callable[[], T], *, of: int = 0) -> T:
        """What `action` gives in the first process, or in the one of that rank, in all of them."""
        if self.size == 1:
            return action()
        from torch import distributed

        found = [action() if self.rank == of else None]
        distributed.broadcast_object_list(found, src=of)
        return found[0]  # pyright: ignore[reportReturnType]

    def mean(self, value: Tensor) -> None:
        """The mean over the processes, in place."""
        self.total(value).div_(self.size)

    def total(self, value: Tensor) -> Tensor:
        """The sum over the processes, in place."""
        if self.size > 1:
            from torch import distributed

            distributed.all_reduce(value)
        return value

    def largest(self, number: int) -> int:
        """Of the numbers that the processes have; the hosts agree on it, and no device is waited for."""
        import torch
        from torch import distributed

        found = torch.tensor(number)
        distributed.all_reduce(found, op=distributed.ReduceOp.MAX)
        return int(found)

    def any(self, value: T | None) -> T | None:
        """What the first of the processes that have a value has, in all of them."""
        if self.size == 1:
            return value
        place = self.size - self.largest(0 if value is None else self.size - self.rank)
        return None if place == self.size else self.told(lambda: value, of=place)

    def gather(self, value: Any) -> list[Any]:
        """What each process has, in the first; what this one has, in the others."""
        if self.size == 1:
            return [value]
        from torch import distributed

        found: list[Any] | None = [None] * self.size if self.first else None
        distributed.gather_object(value, found)
        return found if found is not None else [value]

    def share(self, module: nn.Module, *, buffers: bool = False) -> None:
        """Give all processes what the first one's module holds, or only its buffers."""
        if self.size > 1:
            from torch import distributed

            for each in module.buffers() if buffers else module.state_dict().values():
                distributed.broadcast(each, src=0)

    def tell(self, error: Exception) -> None:
        """Leave word of why this process ends; the first word stands."""
        if self.store is not None and not isinstance(error, Lost):
            key = STOPPED if isinstance(error, CNError) and error.status > 128 else FAILED
            with suppress(RuntimeError):  # the process that keeps the store is gone itself
                first = str(error).partition("\n")[0]
                self.store.compare_set(key, "", f"rank {self.rank} failed: {first}")

    def lost(self, error: BaseException) -> str | None:
        """What is known of another process's end, if it is why this error came."""
        if self.size == 1 or isinstance(error, CNError):
            return None
        if isinstance(error, KeyboardInterrupt):  # whoever started this process ends it, since another one failed
            return self._word(FAILED)
        if not isinstance(error, RuntimeError) or not _of_a_connection(error):
            return None
        if word := self._word(FAILED) or self._word(STOPPED):
            return word
        # what else gloo and NCCL say is this process's own to tell: two of them on one GPU, no way to another node
        plain = any(each in str(error).lower() for each in ENDS)
        return "another process of the run is gone" if plain else None

    def _word(self, key: str) -> str | None:
        with suppress(RuntimeError):  # as above
            if self.store.check([key]):
                return self.store.get(key).decode()
        return None


ALONE = Ranks()


def settle(folder: Path, ranks: Ranks) -> None:
    """From here on whoever started this process knows its run's folder; one that is not the first prints to it.

    Both where its starter wants it so.
    """
    if ranks.first and starter is not None:
        with suppress(BrokenPipeError):  # it has been killed
            starter.send(("folder", folder))
    if not ranks.first and FILES in os.environ:
        with output(folder, ranks).open("a") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)


def output(folder: Path, ranks: Ranks) -> Path:
    """Where a process that is not the first prints to, if it does not print where all do."""
    return folder / f"rank{ranks.rank}.txt"


def reseed(seed: int, ranks: Ranks, step: int) -> None:
    """Give each process random numbers of its own, which follow from the seed, the rank and the step alone."""
    import numpy as np
    import torch

    own = seed_of(seed, ranks.rank, step)
    random.seed(own)
    np.random.seed(own % 2**32)
    torch.manual_seed(own)


def _of_a_connection(error: RuntimeError) -> bool:
    from torch import distributed

    if isinstance(error, distributed.DistError):
        return True
    said = str(error).lower()
    return "gloo" in said or "nccl" in said or "connection closed by peer" in said or "connection reset by peer" in said
