"""The worker processes of one run on this machine: how they are started, get their work, and do it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import ForkContext, SpawnContext
from multiprocessing.util import register_after_fork
from typing import Any

from cn.errors import CNError
from cn.job import Diverged, Job
from cn.launching import ranks as started
from cn.launching.rank import CLOSED, Rank
from cn.launching.ranks import Lost
from cn.launching.shared import imported, prepare, reseed, share
from cn.nodes.node import CN
from cn.process import blocked, end_with_parent

Work = tuple[dict[str, str], Callable[[Any, Job], Any], CN, Job]  # environment, and a function of a run and its job


def begin(ranks: list[Rank], count: int, libraries: Sequence[str]) -> None:
    """Start processes for the work of a program that is imported already, and add them to `ranks`.

    libraries: those that each of them needs. They are imported once, here, if this process has imported none so far: a
    program that has imported torch may have used CUDA, and torch cannot use CUDA in processes that are forked later.
    """
    prepare(count)
    if libraries and not imported() and threading.active_count() == 1:
        with _blocked(signal.SIGTERM):  # one that arrives during the import is passed on to the processes
            share(libraries)
            fork(ranks, count)
    else:
        _begin(get_context("spawn"), ranks, count)


def fork(ranks: list[Rank], count: int) -> None:
    """Start processes that share what this one has imported, but nothing that it imports later; add them to `ranks`.

    A process that shares libraries calls this before it imports the program, which may use CUDA at its import.
    """
    _begin(get_context("fork") if sys.platform == "linux" else get_context("spawn"), ranks, count)


def _begin(context: ForkContext | SpawnContext, ranks: list[Rank], count: int) -> None:
    with _blocked(signal.SIGINT, signal.SIGTERM):
        for number in range(count):
            work, giving = context.Pipe(duplex=False)
            reading, answer = context.Pipe(duplex=False)
            signals, reached = context.Pipe(duplex=False)
            for each in (signals, reached):
                os.set_blocking(each.fileno(), False)
            process = context.Process(target=_main, args=(work, answer, reached))
            process.start()
            for each in (work, answer, reached):
                each.close()
            ranks.append(Rank(number, process, giving, reading, signals))
            register_after_fork(ranks[-1], Rank.close)  # in the processes that are forked after it


@contextlib.contextmanager
def _blocked(*numbers: signal.Signals) -> Iterator[None]:
    """Block these signals until the processes are known to this one, and have set how they receive the signals."""
    resource_tracker.ensure_running()  # its start would unblock SIGINT and SIGTERM
    with blocked(numbers):
        yield


def _main(work: Connection, answer: Connection, reached: Connection) -> None:
    """The main function of a worker process."""
    end_with_parent(signal.SIGTERM)
    _let_go()
    signal.set_wakeup_fd(reached.fileno(), warn_on_full_buffer=False)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    said, status = _done(work, answer)
    with contextlib.suppress(BrokenPipeError):  # the supervisor has been killed
        answer.send(("imported", imported()))
        answer.send(said)
        answer.close()
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)  # threads of torch may still wait for a dead process


def _let_go() -> None:
    """Give up what a fork inherits of its parent: signal handlers, redirected output, numpy's random numbers."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    reseed()


def _done(work: Connection, answer: Connection) -> tuple[tuple[str, Any], int]:
    """Take the work and do it; return the last message to the supervisor, and the exit status."""
    try:
        environment, function, run, job = _taken(work)
        os.environ.update(environment)
        started.starter = answer
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        return ("value", function(run, job)), 0
    except CNError as error:
        word = "lost" if isinstance(error, Lost) else "diverged" if isinstance(error, Diverged) else "error"
        return (word, str(error)), error.status
    except KeyboardInterrupt:
        return ("error", "stopped at once by Ctrl-C"), 128 + signal.SIGINT
    except BrokenPipeError:  # the reader of our output, such as head or less, has exited
        return ("lost", ""), CLOSED
    except BaseException as error:
        traceback.print_exc()
        return ("error", traceback.format_exception_only(error)[-1].strip()), 1


def _taken(work: Connection) -> Work:
    """Wait for the work; exit if the starter has ended without giving any."""
    try:
        return work.recv()
    except EOFError:
        os._exit(0)
