"""The processes of one run on this machine, each with a rank, started and watched by one that does no work itself."""

from __future__ import annotations

import contextlib
import os
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

from cn import CNError, Job, UserError
from cn.errors import lines
from cn.process import end_with_parent
from runs import Run, _ranks
from runs._meeting import which
from runs._ranks import FILES, Lost
from runs.launch._asked import Asked
from runs.launch._local import gpus
from runs.launch._rank import CLOSED, Rank, outcome

LOOK = 1.0  # s after which a signal that came is acted on: Python goes on waiting after one
GRACE = 15  # s in which the others may write down that one failed
LONGER = 60  # s in which they may end, where one was asked to stop and they may not know
LAST = 15  # s in which one that was then asked to end may do so, before it is killed
SHARE = 8  # processes a core at most: each takes 0.1 GB before it has a model


@dataclass(frozen=True)
class Part:
    """Which of a run's processes are those of this machine, and where the first of all is met."""

    first: int  # rank of those here
    size: int  # of the run
    address: str
    port: int


def start(function: Callable[[Any, Job], Any], run: Run, job: Job, *, count: int, part: Part | None = None) -> Any:
    """What `function(run, job)` gives, called here, or by `count` processes that share the run: the first one's.

    part: of a run that has processes on other machines too, which others start; Lost where only one of those failed.
    Else, where this is one of several processes already, whoever started them has said how many there are.
    """
    if part is None and (count == 1 or which().size > 1):
        return function(run, job)
    there = len(gpus())
    if 0 < there < count and run.gpu != -1:
        what = f"launch.gpus={count}: this machine has {there}"
        raise UserError(lines(what, f"nearest: launch.gpus={there}", "as processes on the CPU: gpu=-1"))
    cores = len(os.sched_getaffinity(0))
    if (there == 0 or run.gpu == -1) and count > cores * SHARE:
        what = f"launch.gpus={count}: on the CPU these are processes, and {cores} cores have room for {cores * SHARE}"
        raise UserError(lines(what, f"nearest: launch.gpus={cores * SHARE}"))
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


@contextlib.contextmanager
def _no_ctrl_c() -> Iterator[None]:
    """What is started within it hears Ctrl-C once it can tell what that means; until then it waits."""
    resource_tracker.ensure_running()  # which, when it starts, lets both signals through again
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
    run: Run,
    job: Job,
) -> None:
    """What one of the processes does."""
    end_with_parent(signal.SIGTERM)
    os.environ.update(environment)
    _ranks.starter = answer
    signal.set_wakeup_fd(reached.fileno(), warn_on_full_buffer=False)
    said, status = ("value", None), 0
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        said = ("value", function(run, job))
    except CNError as error:
        said, status = ("lost" if isinstance(error, Lost) else "error", str(error)), error.status
    except KeyboardInterrupt:
        said, status = ("error", "stopped at once by Ctrl-C"), 128 + signal.SIGINT
    except BrokenPipeError:  # the reader of our output has gone: head, less
        said, status = ("lost", ""), CLOSED
    except BaseException as error:
        traceback.print_exc()
        said, status = ("error", traceback.format_exception_only(error)[-1].strip()), 1
    with contextlib.suppress(BrokenPipeError):  # whoever started this process has been killed
        answer.send(said)
        answer.close()
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)  # threads of torch may still wait for a process that is gone


def _watch(ranks: list[Rank], asked: Asked) -> None:
    """Until all have ended; where one fails, the others do too, or are ended, as they are after a second signal."""
    end: float | None = None  # when the others are ended
    number = signal.SIGTERM
    while alive := [rank for rank in ranks if rank.process.exitcode is None]:
        failed = [rank for rank in ranks if rank.failed]  # before it waits: to ask for an exit code is to take it
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
    """Within it, a signal is the processes' to act on. A terminal's Ctrl-C reaches them by itself: `pass_on` waits."""
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
    """What torchrun would set."""
    threads = str(max(1, len(os.sched_getaffinity(0)) // count))  # with more than cores they wait for each other
    return {
        "RANK": str(part.first + number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": str(part.size),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": part.address,
        "MASTER_PORT": str(part.port),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", threads),
        "TORCHELASTIC_USE_AGENT_STORE": "False",  # it is torchrun's, where that started the one that starts these
        "TORCH_CPP_LOG_LEVEL": os.environ.get("TORCH_CPP_LOG_LEVEL", "ERROR"),  # else C++ frames, where one is gone
        FILES: "1",
    }


def free_port(address: str = "127.0.0.1") -> int:
    """One that nobody listens at; an empty address: from other machines either."""
    with socket.socket() as free:
        free.bind((address, 0))
        return free.getsockname()[1]
