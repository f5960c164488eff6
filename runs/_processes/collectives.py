"""The process group of a run: this process's rank, and collective operations, which a single process skips."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from cn import CNError
from cn.launching.ranks import Lost
from data import seed_of

if TYPE_CHECKING:
    from torch import Tensor, nn

T = TypeVar("T")
FAILED, STOPPED = "failed", "stopped"  # store keys of the reason why a rank ends; STOPPED: by a signal
ENDS = ("closed", "reset by peer", "broken pipe", "got 0 bytes", "remote process")  # in messages of torch, gloo, NCCL


@dataclass(frozen=True)
class Ranks:
    """This process's rank in its run. All processes must call each collective, in the same order."""

    rank: int = 0
    size: int = 1
    local: int = 0  # local rank, on this machine
    store: Any = None  # key-value store of all ranks; None: a single process
    kept: Any = None  # torchrun's store, which outlives the ranks; None: not started by torchrun

    @property
    def first(self) -> bool:
        """Whether this is rank 0, which writes the folder, the metrics and the screen."""
        return self.rank == 0

    def broadcast(self, action: Callable[[], T], *, of: int = 0) -> T:
        """Run `action` on rank `of` and broadcast its result."""
        if self.size == 1:
            return action()
        from torch import distributed

        found = [action() if self.rank == of else None]
        distributed.broadcast_object_list(found, src=of)
        return found[0]  # pyright: ignore[reportReturnType]

    def mean(self, value: Tensor) -> None:
        """All-reduce to the mean, in place."""
        self.all_sum(value).div_(self.size)

    def all_sum(self, value: Tensor) -> Tensor:
        """All-reduce to the sum, in place; return the tensor."""
        if self.size > 1:
            from torch import distributed

            distributed.all_reduce(value)
        return value

    def all_max(self, number: int) -> int:
        """Return the maximum over the ranks; the all-reduce runs on the CPU, so no device is synchronized."""
        import torch
        from torch import distributed

        found = torch.tensor(number)
        distributed.all_reduce(found, op=distributed.ReduceOp.MAX)
        return int(found)

    def first_value(self, value: T | None) -> T | None:
        """Return, on all ranks, the value of the lowest rank whose value is not None."""
        if self.size == 1:
            return value
        place = self.size - self.all_max(0 if value is None else self.size - self.rank)
        return None if place == self.size else self.broadcast(lambda: value, of=place)

    def gather(self, value: Any) -> list[Any]:
        """Gather the values of all ranks on rank 0; other ranks return only their own value."""
        if self.size == 1:
            return [value]
        from torch import distributed

        found: list[Any] | None = [None] * self.size if self.first else None
        distributed.gather_object(value, found)
        return found if found is not None else [value]

    def meet(self, name: str) -> None:
        """Wait until every process has come here, however long that takes: a collective would give up after a while.

        name: unique within the run. Lost if one of them reports a failure instead.
        """
        if self.size == 1:
            return
        self.store.set(f"{name} {self.rank}", "here")
        while not self.store.check([f"{name} {rank}" for rank in range(self.size)]):
            if gone := self._word(FAILED) or self._word(STOPPED):
                raise Lost(gone)
            time.sleep(0.1)

    def broadcast_module(self, module: nn.Module, *, buffers: bool = False) -> None:
        """Broadcast the state of rank 0's module, or only its buffers."""
        if self.size > 1:
            from torch import distributed

            for each in module.buffers() if buffers else module.state_dict().values():
                distributed.broadcast(each, src=0)

    def report_failure(self, error: Exception) -> None:
        """Report why this process ends; the first report of the run is kept."""
        if self.store is not None and not isinstance(error, Lost):
            key = STOPPED if isinstance(error, CNError) and error.status > 128 else FAILED
            with suppress(RuntimeError):  # the process with the store is gone
                first = str(error).partition("\n")[0]
                self.store.compare_set(key, "", f"rank {self.rank} failed: {first}")

    def lost(self, error: BaseException) -> str | None:
        """Return why another process ended, if that caused this error, else None."""
        if self.size == 1 or isinstance(error, CNError):
            return None
        if isinstance(error, KeyboardInterrupt):  # the supervisor ends this process because another one failed
            return self._word(FAILED)
        if not isinstance(error, RuntimeError) or not _of_a_connection(error):
            return None
        if word := self._word(FAILED) or self._word(STOPPED):
            return word
        # other errors of gloo and NCCL are this process's own: a shared GPU, no route to a node
        plain = any(each in str(error).lower() for each in ENDS)
        return "another process of the run is gone" if plain else None

    def _word(self, key: str) -> str | None:
        with suppress(RuntimeError):  # the process with the store is gone
            if self.store.check([key]):
                return self.store.get(key).decode()
        return None


ALONE = Ranks()


def reseed(seed: int, ranks: Ranks, step: int) -> None:
    """Seed each process's generators from the seed, the rank and the step."""
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
