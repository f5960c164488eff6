"""The process of one trial: fork, signals, exit status, and the trial's answer."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import IO, Any, NoReturn

from cn.launching.signals import stopping
from cn.sweeping.folder.store import Report, Trial

# SIGHUP: the terminal is closed; SIGUSR2: the time limit is near
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)
STOPPED = (143, 130, 129, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)  # exit statuses after a signal to stop


@dataclass
class Child:
    """A trial's process, on the first node of its job."""

    trial: Trial
    pid: int
    report: Report
    log: IO[bytes]  # locked with flock while the process lives
    pipe: int  # the read end of the answer pipe
    slot: int
    gpus: list[socket.socket]  # that hold the GPUs of the trial
    whole: bool  # started with the job, so it had the job's full time
    status: int | None = None  # exit status
    killed: bool = False  # killed because processes on another node failed
    end: float | None = None  # deadline, once processes on one node have failed
    asked: int = 0  # number of signals sent to stop it
    began: float = field(default_factory=time.monotonic)

    def let_go(self) -> None:
        """Close what this trial has open, in a process that was forked for something else."""
        for each in (self.log, *self.gpus):
            each.close()
        os.close(self.pipe)


@dataclass(frozen=True)
class Ended:
    """How a trial's processes on one node ended."""

    status: int
    answer: dict[str, Any] = field(default_factory=dict[str, Any])  # "value" or "reason"; "lost" if another node ended
    killed: bool = False  # killed by its supervisor because processes on another node failed
    host: str | None = None  # None: the first node

    @property
    def failed(self) -> bool:
        return self.status != 0 and not self.stopped

    @property
    def stopped(self) -> bool:
        """Whether the processes stopped because of a signal."""
        return self.status in STOPPED

    @property
    def reason(self) -> str:
        where = f"on {self.host}: " if self.host is not None else ""
        return self.answer.get("reason") or f"{where}{_reason(self.status)}"

    @property
    def knows(self) -> bool:
        """Whether the end has a cause of its own, rather than the end of another node's processes."""
        return not self.killed and "lost" not in self.answer


def chosen(all_of_them: list[Ended]) -> Ended:
    """Pick the exit to report: first own failure, else one that was asked to stop."""
    own = [each for each in all_of_them if each.failed and each.knows]
    stopped = [each for each in all_of_them if each.stopped and not each.killed]
    failed = [each for each in all_of_them if each.failed]
    return [*own, *stopped, *failed, *all_of_them][0]


def woken(note: Callable[[int, FrameType | None], None]) -> int:
    """Handle signals and SIGCHLD with `note`; return a pipe that becomes readable when one arrives."""
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (*stopping(), signal.SIGUSR2, signal.SIGCHLD):
        signal.signal(number, note)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # LocalQueue.run starts this process with them blocked
    return reading


def fork(work: Callable[[int], NoReturn]) -> tuple[int, int]:
    """Fork a process that calls `work` with the write end of its answer pipe; return its pid and the read end."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # a signal that arrives now must reach the child too
    pid = os.fork()
    if pid == 0:
        try:
            signal.set_wakeup_fd(-1)
            work(writing)
        finally:
            os._exit(70)  # the child must never return into its parent's code
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    os.close(writing)
    return pid, reading


def claim(log: IO[bytes]) -> bool:
    """Lock the trial's log; False while the process of an earlier attempt has it locked."""
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def ended(pid: int) -> int | None:
    """Return the exit status of a process, negative if killed by a signal; None while it runs."""
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def answer(pipe: int) -> dict[str, Any]:
    """Return the answer of a trial; empty if it was killed before it answered."""
    os.set_blocking(pipe, False)  # a leftover process of the trial may hold the write end
    parts = list(iter(lambda: read(pipe), b""))
    os.close(pipe)
    try:
        return json.loads(zlib.decompress(b"".join(parts)))
    except (ValueError, zlib.error):
        return {}


def read(pipe: int) -> bytes:
    """Return the available bytes; empty if none are available, and at the end of the file."""
    try:
        return os.read(pipe, 65536)
    except BlockingIOError:
        return b""


def ask(pid: int, number: int) -> None:
    """Send a signal to a trial's process; SIGKILL goes to its whole process group."""
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if number == signal.SIGKILL else os.kill)(pid, number)


def kill_group(pid: int) -> None:
    """Kill the remaining processes of a trial, such as the workers of a data loader."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _reason(status: int) -> str:
    if status == -signal.SIGKILL:
        return "killed by SIGKILL, as the kernel does where memory runs out"
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"ended without a result, with exit status {status}"
