"""The processes of one run on this machine, each with a rank, started and watched by one that does no work itself."""

from __future__ import annotations

import contextlib
import ctypes
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
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any

from cn import CNError, Job, RunError, UserError
from cn.errors import lines
from runs import Run
from runs._ranks import FILES, Lost, which
from runs.launch._local import gpus

GRACE = 15  # s in which the others may write down that one failed
LONGER = 60  # s in which they may end, where one was asked to stop and they may not know
LAST = 15  # s in which one that was then asked to end may do so, before it is killed
CLOSED = 141  # the exit status where nobody reads what is printed: 128 and SIGPIPE
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


@dataclass(frozen=True)
class Part:
    """Which of a run's processes are those of this machine, and where the first of all is met."""

    first: int  # rank of those here
    size: int  # of the run
    address: str
    port: int


@dataclass
class Rank:
    """One of the processes, and what it said at its end: a value, or why there is none."""

    number: int
    process: BaseProcess
    pipe: Connection
    said: tuple[str, Any] | None = None
    ended: bool = False  # by us, since another one had failed

    @property
    def failed(self) -> bool:
        return self.process.exitcode not in (None, 0)

    @property
    def stopped(self) -> bool:
        """Whether it ended because it was asked to."""
        return self.process.exitcode in (128 + signal.SIGINT, 128 + signal.SIGTERM, -signal.SIGINT)


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
    context = get_context("spawn")
    part = part or Part(0, count, "127.0.0.1", free_port())
    ranks: list[Rank] = []
    with _passing_on(ranks):
        for number in range(count):
            reading, writing = context.Pipe(duplex=False)
            process = context.Process(
                target=_work,
                args=(_environment(number, count, part), writing, function, run, job),
                name=f"rank {part.first + number}",
            )
            with _no_ctrl_c():
                process.start()
            writing.close()
            ranks.append(Rank(part.first + number, process, reading))
        _watch(ranks)
    return _outcome(ranks)


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
    environment: dict[str, str], answer: Connection, function: Callable[[Any, Job], Any], run: Run, job: Job
) -> None:
    """What one of the processes does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    os.environ.update(environment)
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


def _watch(ranks: list[Rank]) -> None:
    """Until all have ended; where one fails, the others do too, or are ended."""
    end: float | None = None  # when the others are ended
    asked = signal.SIGTERM
    while alive := [rank for rank in ranks if rank.process.exitcode is None]:
        failed = [rank for rank in ranks if rank.failed]  # before it waits: to ask for an exit code is to take it
        if failed and end is None:
            end = time.monotonic() + (LONGER if all(rank.stopped for rank in failed) else GRACE)
        left = None if end is None else max(0.0, end - time.monotonic())
        wait([each for rank in alive for each in (rank.process.sentinel, *_open(rank))], left)
        for rank in ranks:
            _hear(rank)
        if end is not None and time.monotonic() >= end:
            for rank in alive:
                rank.ended = True
                with contextlib.suppress(ProcessLookupError):
                    os.kill(rank.process.pid or 0, asked)
            end, asked = time.monotonic() + LAST, signal.SIGKILL


def _open(rank: Rank) -> list[Connection]:
    return [] if rank.pipe.closed else [rank.pipe]


def _hear(rank: Rank) -> None:
    """What it has said, once it has; the pipe ends with the process."""
    if not rank.pipe.closed and rank.pipe.poll():
        with contextlib.suppress(EOFError):
            rank.said = rank.pipe.recv()
        rank.pipe.close()


def _outcome(ranks: list[Rank]) -> Any:
    """The first process's value, or the error that ended the run; Lost where no process here knows it."""
    first = ranks[0]
    if not any(rank.failed for rank in ranks):
        return first.said[1] if first.said else None
    if any(rank.process.exitcode == CLOSED for rank in ranks):
        raise BrokenPipeError
    told = [rank for rank in ranks if rank.said is not None and rank.said[0] == "error"]
    told = [rank for rank in told if not rank.ended] or told
    killed = [rank for rank in ranks if rank.failed and rank.said is None and not rank.ended and not rank.stopped]
    advice = first.said[1].split("\n  ")[1:] if first.said and first.said[0] != "value" else []
    if killed and not (told and not all(rank.stopped for rank in told)):
        rank = killed[0]
        number = -(rank.process.exitcode or 0)
        name = signal.Signals(number).name if number > 0 else "itself"
        memory = ", as the kernel does where memory runs out" if name == "SIGKILL" else ""
        error = RunError(lines(f"rank {rank.number} was ended by {name}{memory}", *advice))
        error.status = 128 + number if number in (signal.SIGTERM, signal.SIGINT) else 1  # it had just begun
        raise error
    if not told and any(rank.stopped for rank in ranks):  # before any of them could have said so
        error = RunError("stopped at once by Ctrl-C")
        error.status = 128 + signal.SIGINT
        raise error
    if not told:
        heard = [str(rank.said[1]) for rank in ranks if rank.said is not None and rank.said[0] == "lost"]
        raise Lost(heard[0] if heard else "another process of the run is gone")
    rank = first if first in told else told[0]
    text = str(rank.said[1]) if rank.said else ""
    same = [each for each in told if each.said == rank.said]
    where = "" if rank.number == 0 or len(same) > 1 else f"rank {rank.number}: "
    error = UserError(where + text) if rank.process.exitcode == 2 else RunError(where + text)
    error.status = rank.process.exitcode or 1
    raise error


@contextlib.contextmanager
def _passing_on(ranks: list[Rank]) -> Iterator[None]:
    """Within it, a signal is the processes' to act on; Ctrl-C at a terminal has reached them already."""

    def handler(number: int, frame: FrameType | None) -> None:
        for rank in ranks:
            if number != signal.SIGINT and rank.process.pid is not None and rank.process.exitcode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(rank.process.pid, number)

    before = {number: signal.signal(number, handler) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
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
