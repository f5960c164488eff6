"""The worker processes of one run on this machine, each with a rank, started and watched by a supervisor."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import random
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Any

from cn.errors import CNError, UserError, lines
from cn.job import Job
from cn.launching import ranks as started
from cn.launching.local_queue import gpus
from cn.launching.rank import CLOSED, Rank, outcome
from cn.launching.ranks import FILES, Lost, which
from cn.launching.signals import Asked
from cn.nodes.node import CN
from cn.process import end_with_parent

LOOK = 1.0  # s until a received signal is acted on: Python resumes a wait after a signal handler
GRACE = 15  # s for the other ranks to record that one failed
LONGER = 60  # s for the other ranks to end after one was stopped by a signal
LAST = 15  # s between the request to end and SIGKILL
PORTS = range(15_000, 32_000)  # below those that Linux gives to connections
SHARE = 8  # maximum of processes per core: each takes 0.1 GB before it has a model


@dataclass(frozen=True)
class Part:
    """The ranks of a run on this machine, and the address of its rendezvous."""

    first: int  # lowest rank on this machine
    size: int  # world size
    address: str
    port: int


def start(function: Callable[[Any, Job], Any], run: CN, job: Job, *, count: int, part: Part | None = None) -> Any:
    """Return `function(run, job)`, called here or by `count` processes that share the run; the value of rank 0.

    part: the ranks of this machine, if the run has processes on other machines too; Lost if only those failed.
    If this is already one of several processes, their starter has chosen the number.
    """
    if part is None and (count == 1 or which().size > 1):
        return function(run, job)
    there, on_cpu = len(gpus()), getattr(run, "gpu", None) == -1
    if 0 < there < count and not on_cpu:
        what = f"launch.processes={count}: this machine has {there} GPUs"
        raise UserError(lines(what, f"nearest: launch.processes={there}", "on the CPU: gpu=-1"))
    cores = len(os.sched_getaffinity(0))
    if (there == 0 or on_cpu) and count > cores * SHARE:
        what = f"launch.processes={count}: {cores} cores have room for {cores * SHARE} processes"
        raise UserError(lines(what, f"nearest: launch.processes={cores * SHARE}"))
    context = get_context("spawn")
    part = part or Part(0, count, "127.0.0.1", free_port())
    ranks: list[Rank] = []
    with _passing_on(ranks) as asked:
        for number in range(count):
            reading, writing = context.Pipe(duplex=False)
            signals, reached = context.Pipe(duplex=False)
            for each in (signals, reached):
                os.set_blocking(each.fileno(), False)
            process = context.Process(
                target=_work,
                args=(_environment(number, count, part), writing, reached, function, run, job),
                name=f"rank {part.first + number}",
            )
            with _no_ctrl_c():
                process.start()
            writing.close()
            reached.close()
            ranks.append(Rank(part.first + number, process, reading, signals))
        _watch(ranks, asked)
    return outcome(ranks, asked)


class Spread:
    """Calls a function by `count` processes that share the run: `start`, as a function of the run and its job."""

    def __init__(self, function: Callable[[Any, Job], Any], count: int, part: Part | None = None) -> None:
        functools.update_wrapper(self, function)
        self.function, self.count, self.part = function, count, part

    def __call__(self, run: CN, job: Job) -> Any:
        return start(self.function, run, job, count=self.count, part=self.part)


@contextlib.contextmanager
def _no_ctrl_c() -> Iterator[None]:
    """Block SIGINT until the child has installed its handler."""
    resource_tracker.ensure_running()  # its start would unblock both signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(
    environment: dict[str, str],
    answer: Connection,
    reached: Connection,
    function: Callable[[Any, Job], Any],
    run: CN,
    job: Job,
) -> None:
    """The main function of a worker process."""
    end_with_parent(signal.SIGTERM)
    os.environ.update(environment)
    started.starter = answer
    signal.set_wakeup_fd(reached.fileno(), warn_on_full_buffer=False)
    said, status = ("value", None), 0
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        said = ("value", function(run, job))
    except CNError as error:
        said, status = ("lost" if isinstance(error, Lost) else "error", str(error)), error.status
    except KeyboardInterrupt:
        said, status = ("error", "stopped at once by Ctrl-C"), 128 + signal.SIGINT
    except BrokenPipeError:  # the reader of our output, such as head or less, has exited
        said, status = ("lost", ""), CLOSED
    except BaseException as error:
        traceback.print_exc()
        said, status = ("error", traceback.format_exception_only(error)[-1].strip()), 1
    with contextlib.suppress(BrokenPipeError):  # the supervisor has been killed
        answer.send(said)
        answer.close()
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)  # threads of torch may still wait for a dead process


def _watch(ranks: list[Rank], asked: Asked) -> None:
    """Wait until all ranks have ended; after a failure or a second signal, end the remaining ranks."""
    end: float | None = None  # when the remaining ranks are ended
    number = signal.SIGTERM
    while alive := [rank for rank in ranks if rank.process.exitcode is None]:
        failed = [rank for rank in ranks if rank.failed]  # first, because reading an exit code reaps the process
        if failed and end is None:
            end = time.monotonic() + (LONGER if all(rank.stopped for rank in failed) else GRACE)
        if asked.again is not None and number != signal.SIGKILL:
            end, number = asked.end, signal.SIGKILL
        if asked.interrupts and time.monotonic() - asked.last > LOOK:
            for rank in alive:
                rank.pass_on(asked.interrupts)
        left = LOOK if end is None else min(LOOK, max(0.0, end - time.monotonic()))
        wait([each for rank in alive for each in (rank.process.sentinel, *rank.pipes)], left)
        for rank in ranks:
            rank.hear()
        if end is not None and time.monotonic() >= end:
            for rank in alive:
                rank.ended = True
                with contextlib.suppress(ProcessLookupError):
                    os.kill(rank.process.pid or 0, number)
            end, number = time.monotonic() + LAST, signal.SIGKILL
    for rank in ranks:
        rank.hear()


@contextlib.contextmanager
def _passing_on(ranks: list[Rank]) -> Iterator[Asked]:
    """Forward SIGTERM to the workers while active; a terminal's Ctrl-C reaches them directly, else `pass_on` does."""
    asked = Asked()

    def handler(number: int, frame: FrameType | None) -> None:
        asked.hear(number)
        for rank in ranks:
            if number != signal.SIGINT and rank.process.pid is not None and rank.process.exitcode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(rank.process.pid, number)

    before = {number: signal.signal(number, handler) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, each in before.items():
            signal.signal(number, each)


def _environment(number: int, count: int, part: Part) -> dict[str, str]:
    """Return the environment variables that torchrun would set."""
    threads = str(max(1, len(os.sched_getaffinity(0)) // count))  # more threads than cores would slow down each other
    return {
        "RANK": str(part.first + number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": str(part.size),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": part.address,
        "MASTER_PORT": str(part.port),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", threads),
        "TORCHELASTIC_USE_AGENT_STORE": "False",  # torchrun's own store, if torchrun started the supervisor
        "TORCH_CPP_LOG_LEVEL": os.environ.get("TORCH_CPP_LOG_LEVEL", "ERROR"),  # silences C++ frames of a lost peer
        FILES: "1",
    }


def free_port(address: str = "127.0.0.1") -> int:
    """Return a free port; with an empty address, a port that is free on all interfaces.

    It is used only seconds later, when torch is imported, so it is none that Linux gives to a connection by then.
    """
    while True:
        port = random.SystemRandom().choice(PORTS)
        try:
            with socket.socket() as free:
                free.bind((address, port))
                return port
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
