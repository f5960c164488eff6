"""Batches of jobs as processes of this machine: each runs one batch whole, and holds a lock while it lives."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cn import RunError
from cn.errors import lines
from runs._state_files import DamagedError, built, content, parsed
from runs.launch._queue import Here, Job, Jobs, Queue, Why

LOCK = "lock"
NOTED = 100  # times 0.05 s that a process may take to note its number, where all is slow
PASSED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# notes its number, waits for the locks of other batches, each given up at once again, and becomes the batch's process
START = """
import fcntl, os, sys
with open(sys.argv[1], "a") as lock:
    print(os.getpid(), file=lock)
count = int(sys.argv[2])
for path in sys.argv[3:3 + count]:
    with open(path) as file:
        fcntl.flock(file, fcntl.LOCK_SH)
os.execv(sys.executable, [sys.executable, *sys.argv[3 + count:]])
"""


@dataclass(frozen=True)
class Held:
    """A batch whose process, or what it started, is alive."""

    path: Path  # of the lock
    label: str
    host: str
    after: tuple[str, ...]
    number: str  # the pid of its process


@dataclass(frozen=True)
class Head:
    """The first line of a lock."""

    label: str
    host: str
    after: tuple[str, ...]


class LocalQueue(Queue):
    """One process a batch, which makes from it what its jobs need; nothing else runs, and nothing is left of it."""

    def __init__(self, *, parallel: int, gpus: int = 1) -> None:
        self.parallel = self.places = parallel
        self.gpus = self.processes = gpus

    def submit(self, jobs: Jobs) -> str:
        others = [held for held in _held(jobs.folder.parent) if held.number in jobs.after]
        locks = [str(held.path) for held in others]
        words = ["-c", START, str(jobs.folder / LOCK), str(len(locks)), *locks, *jobs.words]
        with _lock(jobs, [held.number for held in others]) as lock:
            os.set_inheritable(lock.fileno(), True)
            number = _start(words, self._environment(jobs), jobs.folder / "0.out")
        return str(number)

    def run(self, jobs: Jobs) -> int:
        """The same in the foreground: what is printed is shown, and Ctrl-C ends it; the exit status."""
        words = [sys.executable, *jobs.words, "--show"]
        with (
            _lock(jobs, []) as lock,
            subprocess.Popen(words, env=self._environment(jobs), pass_fds=[lock.fileno()]) as process,
        ):
            print(process.pid, file=lock, flush=True)
            before = {number: signal.signal(number, _pass_on(process, number)) for number in PASSED}
            try:
                return process.wait()
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

    def jobs(self, name: str, folder: Path) -> list[Job]:
        held = _held(folder)
        alive = {each.number for each in held}
        return [
            Job(each.label, None, each.number, "pending", "Dependency")
            if alive.intersection(each.after)
            else Job(each.label, None, each.number, "running")
            for each in held
        ]

    def ended(self, numbers: list[str]) -> dict[str, str]:
        return {}  # nobody keeps it

    def cancel(self, name: str, folder: Path) -> None:
        for held in _held(folder):
            if held.host != socket.gethostname():
                raise RunError(lines(f"{held.label} runs on {held.host}", "cancel it there"))
            with suppress(ProcessLookupError):  # killed, as what it started knows, which keeps its number
                os.kill(int(held.number), signal.SIGTERM)

    def most(self) -> int:
        return 1_000_000

    def here(self) -> Here:
        there = gpus()
        groups = [",".join(there[start : start + self.gpus]) for start in range(0, len(there), self.gpus)]
        names = [{"CUDA_VISIBLE_DEVICES": group} for group in groups] or [{}]
        places = [names[place % len(names)] for place in range(self.places)]
        return Here(None, str(os.getpid()), socket.gethostname(), environments=places)

    def why(self) -> Why:
        return "cancelled"

    def requeue(self) -> None:
        """Nothing interrupts a job of this machine that would let it go on later."""

    def _environment(self, jobs: Jobs) -> dict[str, str]:
        """Trials at once share the cores, for with more threads than cores they wait for each other."""
        threads = {"OMP_NUM_THREADS": str(max(1, len(os.sched_getaffinity(0)) // (self.places * self.processes)))}
        shared = threads if self.places * self.processes > 1 and "OMP_NUM_THREADS" not in os.environ else {}
        return {**os.environ, **shared, **jobs.environment}


def _lock(jobs: Jobs, after: list[str]) -> IO[str]:
    """Held by this process and by the one that it hands it to, until both are gone."""
    jobs.folder.mkdir(parents=True, exist_ok=True)
    lock = (jobs.folder / LOCK).open("w")
    print(json.dumps({"label": jobs.label, "host": socket.gethostname(), "after": after}), file=lock, flush=True)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def _pass_on(process: subprocess.Popen[bytes], number: int) -> Callable[..., None]:
    """A handler for a signal that is meant for the process; Ctrl-C has reached it already."""

    def handler(*_: object) -> None:
        if number != signal.SIGINT:
            process.send_signal(number)

    return handler


def _start(words: list[str], environment: dict[str, str], output: Path) -> int:
    """A process that outlives this one and its terminal."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(output), flags, 0o666),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    # not subprocess, which warns of a process that nobody waits for
    return os.posix_spawn(
        sys.executable, [sys.executable, *words], environment, file_actions=files, setsid=True, setsigmask=()
    )


def _held(folder: Path) -> list[Held]:
    """The batches below a folder that are not over."""
    found: list[Held] = []
    there = {*folder.glob(f"*/{LOCK}"), *(folder / path.stem / LOCK for path in folder.glob("*.id"))}
    for path in sorted(there):
        held = None
        if not os.path.lexists(path):
            held = _unlisted(path) if _numbered(folder / f"{path.parent.name}.id") else None
        else:
            try:
                held = _read(path)
            except DamagedError:
                held = _unlisted(path)
        if held is not None:
            found.append(held)
    return found


def _read(path: Path) -> Held | None:
    """The batch whose lock this is; None once it is over. Raises DamagedError."""
    built(Head, parsed((content(path) or b"").partition(b"\n")[0], path), path)
    with path.open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared, so that two who look see no batch
        except BlockingIOError:
            head, _, number = lock.read().partition(b"\n")
            told = built(Head, parsed(head, path), path)
            for _ in range(NOTED):
                if number:
                    break
                time.sleep(0.05)
                number = lock.read()
            number = number.strip().decode(errors="replace")
            if told.host == socket.gethostname() and not _has_open(number, path):
                raise DamagedError(path, "it holds no number of its process") from None
            return Held(path, told.label, told.host, told.after, number)
    return None


def _unlisted(path: Path) -> Held | None:
    """The batch whose lock cannot be read: what the kernel tells is enough to know of it, and to end it."""
    number = _holder(path)
    return None if number is None else Held(path, path.parent.name, socket.gethostname(), (), str(number))


def _numbered(path: Path) -> bool:
    """Whether a file holds the number of a process of this machine that is alive."""
    try:
        number = (content(path) or b"").strip()
    except DamagedError:
        return True
    return not number.isdigit() or os.path.exists(f"/proc/{number.decode()}")


def _has_open(number: str, path: Path) -> bool:
    """Whether the process of that number, or what it started, can be the one that holds a lock."""
    if not number.isdigit() or len(number) > len(str(2**31)):
        return False
    try:
        if any(os.readlink(each) in _names(path) for each in Path("/proc", number, "fd").iterdir()):
            return True
        state = Path("/proc", number, "stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        state = "Z"
    except OSError:  # of another user
        return False
    return state == "Z" and int(number) > 1  # it has been killed, and what it started keeps the lock


def _names(path: Path) -> set[str]:
    """What the kernel calls an open file, also once it has been removed."""
    return {str(path.absolute()), str(path.resolve()), f"{path.absolute()} (deleted)", f"{path.resolve()} (deleted)"}


def _holder(path: Path) -> int | None:
    """The process of this machine that has a lock open, and was started by none that has: the kernel lists them."""
    names = _names(path)
    parents: dict[int, int] = {}
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(os.readlink(handle) in names for handle in (each / "fd").iterdir()):
                parents[int(each.name)] = int((each / "stat").read_text().rpartition(")")[2].split()[1])
    first = [number for number, parent in parents.items() if parent not in parents and number != os.getpid()]
    return min(first, default=None)


def gpus() -> list[str]:
    """As CUDA_VISIBLE_DEVICES names them."""
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    if told is None:  # CUDA counts those that it finds, whatever their files are called
        return [str(number) for number, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]
    names = [name.strip() for name in told.split(",")]
    end = next((place for place, name in enumerate(names) if not name or name.startswith("-")), len(names))
    return names[:end]  # as CUDA reads it, which stops at the first that cannot be
