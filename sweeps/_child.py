"""The process of one trial: how it is begun, and what is known of it when it has ended."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import IO, Any, NoReturn

from sweeps._store import Report, Trial

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)  # the last: the time limit is near
STOPPED = (143, 130, -signal.SIGTERM, -signal.SIGINT)  # how a process ends that was asked to


@dataclass
class Child:
    """A trial's process, on the first node of its job."""

    trial: Trial
    pid: int
    report: Report
    log: IO[bytes]  # locked while the process lives
    pipe: int  # from which its answer is read
    slot: int
    whole: bool  # it began with the job, and so has all of its time
    status: int | None = None  # once it has ended
    killed: bool = False  # since the processes of another node had failed
    end: float | None = None  # when it is to be, where the processes of one node have failed
    asked: int = 0  # how often it was


@dataclass(frozen=True)
class Ended:
    """How a trial's processes on one node ended."""

    status: int
    answer: dict[str, Any] = field(default_factory=dict[str, Any])  # value, or reason, or what it says of another node
    killed: bool = False  # by its supervisor, since those of another node had failed
    host: str | None = None  # None: the first

    @property
    def failed(self) -> bool:
        return self.status != 0 and not self.stopped

    @property
    def stopped(self) -> bool:
        """Whether it ended because it was asked to."""
        return self.status in STOPPED

    @property
    def reason(self) -> str:
        where = f"on {self.host}: " if self.host is not None else ""
        return self.answer.get("reason") or f"{where}{_reason(self.status)}"

    @property
    def knows(self) -> bool:
        """Whether the reason for the end is its own, and not that another node's processes ended."""
        return not self.killed and "lost" not in self.answer


def chosen(all_of_them: list[Ended]) -> Ended:
    """The end that is the trial's: of those that failed by themselves the first, else one that was asked to end."""
    own = [each for each in all_of_them if each.failed and each.knows]
    stopped = [each for each in all_of_them if each.stopped and not each.killed]
    failed = [each for each in all_of_them if each.failed]
    return [*own, *stopped, *failed, *all_of_them][0]


def woken(note: Callable[[int, FrameType | None], None]) -> int:
    """From here on signals and the ends of children are noted; a pipe that has something to read when one came."""
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (*SIGNALS, signal.SIGCHLD):
        signal.signal(number, note)
    return reading


def fork(work: Callable[[int], NoReturn]) -> tuple[int, int]:
    """A process that does the work, given the pipe for its answer: its number, and where that answer is read."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # one that comes now is for the child too
    pid = os.fork()
    if pid == 0:
        try:
            signal.set_wakeup_fd(-1)
            work(writing)
        finally:
            os._exit(70)  # whatever happens, it never goes on as its parent would
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    os.close(writing)
    return pid, reading


def ended(pid: int) -> int | None:
    """How a process ended, negative if by a signal; None while it runs."""
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def answer(pipe: int) -> dict[str, Any]:
    """What a trial told of itself; nothing where it was killed before it had."""
    os.set_blocking(pipe, False)  # a process that the trial left behind may hold the other end
    parts = list(iter(lambda: read(pipe), b""))
    os.close(pipe)
    try:
        return json.loads(zlib.decompress(b"".join(parts)))
    except (ValueError, zlib.error):
        return {}


def read(pipe: int) -> bytes:
    """What is there; nothing at its end too."""
    try:
        return os.read(pipe, 65536)
    except BlockingIOError:
        return b""


def ask(pid: int, number: int) -> None:
    """Send a signal to a trial's process, or SIGKILL to all that it started too."""
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if number == signal.SIGKILL else os.kill)(pid, number)


def kill_group(pid: int) -> None:
    """What a trial's process left behind, such as the workers of a data loader."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def share(modules: list[str]) -> None:
    """Import what a trial had to, once: the next ones find it, and begin in a tenth of the time."""
    if sys.platform != "linux":  # elsewhere a library may not survive a fork
        return
    for name in modules:
        if name not in sys.modules and not name.startswith("torch._inductor"):  # which starts processes
            with contextlib.suppress(Exception):  # that a trial could import; what fails here, each does for itself
                importlib.import_module(name)


def _reason(status: int) -> str:
    if status == -signal.SIGKILL:
        return "killed by SIGKILL, as the kernel does where memory runs out"
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"ended without a result, with exit status {status}"
