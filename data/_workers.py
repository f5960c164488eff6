"""Worker processes that load examples ahead of the loop."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Generator, Iterator
from functools import partial
from typing import Any

import torch
from torch.utils.data import DataLoader

from cn.errors import lines
from cn.process import blocked, end_with_parent
from data._dataset import BadExample
from data._maker import Key, Made, Maker

ASKED = (signal.SIGINT, signal.SIGTERM)  # signals to stop


def worked(maker: Maker, keys: Iterator[list[Key]], *, workers: int, pinned: bool) -> Generator[Made]:
    """Yield the batches that worker processes load for these keys, in order; the workers end with the generator."""
    before = signal.getsignal(signal.SIGCHLD)
    with blocked(ASKED), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)  # more than cores, as requested
        loader: Any = DataLoader(
            maker,  # pyright: ignore[reportArgumentType]
            sampler=keys,
            batch_size=None,
            num_workers=workers,
            worker_init_fn=partial(_begin, os.getpid()),
            pin_memory=pinned,
            collate_fn=_as_it_is,
            generator=torch.Generator(),  # otherwise it draws from the global generator
        )
        made = iter(loader)
    if threading.current_thread() is threading.main_thread() and before is not None:
        signal.signal(signal.SIGCHLD, before)  # torch's handler would raise inside a step; torch also polls its workers
    try:
        yield from made
    except (RuntimeError, OSError, EOFError):  # OSError and EOFError: a worker died during a fetch
        died = [told for each in made._workers if (told := _end(each)) is not None]
        if not died:
            raise
        what = "a process that makes examples has died, as where memory or room in /dev/shm is short"
        raise BadExample(lines(what, died[0], "fewer processes: data.workers=1")) from None
    finally:
        try:
            made._shutdown_workers()
        finally:
            for each in made._workers:  # SIGTERM does not reach a worker that is busy with an example
                each.kill()
                each.join()


def _end(worker: Any) -> str | None:
    """Return how a worker ended abnormally, or None."""
    worker.join(0.1)  # s; the pipe closes before the process ends
    status = worker.exitcode
    if not status:
        return None
    if status < 0:
        return f"process {worker.pid} was ended by {signal.Signals(-status).name}"
    return f"process {worker.pid} ended with exit status {status}"


def _as_it_is(made: Any) -> Any:
    return made


def _begin(parent: int, number: int) -> None:
    """Initialize a worker: ignore signals to stop, since the parent ends it, and die with the parent.

    torch's workers would outlive a killed parent by 5 s, and hold the lock of the run's folder.
    """
    for each in ASKED:
        signal.signal(each, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ASKED)
    end_with_parent(signal.SIGKILL)
    if os.getppid() != parent:  # the parent was killed before
        os._exit(0)


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
