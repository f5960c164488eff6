"""The worker processes of one run on this machine, each with a rank, started and watched by a supervisor."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import random
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from types import FrameType
from typing import Any

from cn.errors import UserError
from cn.job import Job
from cn.launching.local_queue import gpus
from cn.launching.rank import Rank, outcome
from cn.launching.ranks import FILES, which
from cn.launching.shared import libraries
from cn.launching.signals import Asked, stopping
from cn.launching.workers import begin
from cn.nodes.node import CN
from cn.screen import hang_up

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


def start(
    function: Callable[[Any, Job], Any],
    run: CN,
    job: Job,
    *,
    count: int,
    part: Part | None = None,
    begun: Sequence[Rank] = (),
) -> Any:
    """Return `function(run, job)`, called here or by `count` processes that share the run; the value of rank 0.

    part: the ranks of this machine, if the run has processes on other machines too; Lost if only those failed.
    begun: processes that were started already, and have no work so far.
    If this is already one of several processes, their starter has chosen the number.
    """
    if part is None and (count == 1 or which().size > 1):
        return function(run, job)
    there, on_cpu = len(gpus()), getattr(run, "gpu", None) == -1
    if 0 < there < count and not on_cpu:
        what = f"launch.processes={count}: this machine has {there} GPUs"
        raise UserError(what, f"nearest: launch.processes={there}", "on the CPU: gpu=-1")
    cores = len(os.sched_getaffinity(0))
    if (there == 0 or on_cpu) and count > cores * SHARE:
        what = f"launch.processes={count}: {cores} cores have room for {cores * SHARE} processes"
        raise UserError(what, f"nearest: launch.processes={cores * SHARE}")
    part = part or Part(0, count, "127.0.0.1", free_port())
    ranks: list[Rank] = []
    with _passing_on(ranks) as asked:
        ranks += begun
        if not ranks:
            begin(ranks, count, libraries(type(run), several=True))
        for number, rank in enumerate(ranks):
            rank.number = part.first + number
            rank.give((_environment(number, count, part), function, run, job))
        _watch(ranks, asked)
    return outcome(ranks, asked)


class Spread:
    """Calls a function by `count` processes that share the run: `start`, as a function of the run and its job."""

    def __init__(
        self,
        function: Callable[[Any, Job], Any],
        count: int,
        part: Part | None = None,
        begun: Sequence[Rank] = (),
    ) -> None:
        functools.update_wrapper(self, function)
        self.function, self.count, self.part, self.begun = function, count, part, begun

    def __call__(self, run: CN, job: Job) -> Any:
        return start(self.function, run, job, count=self.count, part=self.part, begun=self.begun)


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
    """Forward SIGTERM and SIGHUP to the workers while active.

    A terminal's Ctrl-C reaches the workers directly, and `pass_on` forwards any other.
    """
    asked = Asked()

    def handler(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            hang_up()
        asked.hear(number)
        for rank in ranks:
            if number != signal.SIGINT and rank.process.pid is not None and rank.process.exitcode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(rank.process.pid, number)

    before = {number: signal.signal(number, handler) for number in stopping()}
    try:
        yield asked
    finally:
        for number, each in before.items():
            signal.signal(number, each)


def _environment(number: int, count: int, part: Part) -> dict[str, str]:
    """Return the environment variables that torchrun would set."""
    return {
        "RANK": str(part.first + number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": str(part.size),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": part.address,
        "MASTER_PORT": str(part.port),
        "TORCHELASTIC_USE_AGENT_STORE": "False",  # torchrun's own store, if torchrun started the supervisor
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
