"""Processes that make examples ahead of the loop."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch.utils.data import DataLoader

from cn.errors import lines
from cn.process import end_with_parent
from data._dataset import BadExample
from data._maker import Key, Made, Maker

ASKED = (signal.SIGINT, signal.SIGTERM)  # to stop


def worked(maker: Maker, keys: Iterator[list[Key]], *, workers: int, pinned: bool) -> Generator[Made]:
    """What worker processes make of these keys, in their order. They end with this generator."""
    before = signal.getsignal(signal.SIGCHLD)
    with _signals_wait(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)  # more than cores, as was asked
        loader: Any = DataLoader(
            maker,  # pyright: ignore[reportArgumentType]
            sampler=keys,
            batch_size=None,
            num_workers=workers,
            worker_init_fn=partial(_begin, os.getpid()),
            pin_memory=pinned,
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
    if status < 0:
        return f"process {worker.pid} was ended by {signal.Signals(-status).name}"
    return f"process {worker.pid} ended with exit status {status}"


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
    end_with_parent(signal.SIGKILL)
    if os.getppid() != parent:  # it was killed before
        os._exit(0)


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
