"""Batches of jobs as processes of this machine: each process runs a whole batch and holds a lock while it lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cn.errors import RunError
from cn.launching.locks import LOCK, held_below, host, locked
from cn.launching.queue import Here, Job, Jobs, Queue, Why
from cn.launching.signals import stopping
from cn.process import blocked
from cn.screen import hang_up

# writes its pid, waits for the locks of other batches and releases them, then becomes the batch's process
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


class LocalQueue(Queue):
    """One process per batch, which starts the batch's jobs; there is no daemon."""

    def __init__(self, *, parallel: int, processes: int = 1) -> None:
        self.parallel = self.places = parallel
        self.processes = processes

    def submit(self, jobs: Jobs) -> str:
        others = [held for held in held_below(jobs.folder.parent) if held.number in jobs.after]
        locks = [str(held.path) for held in others]
        words = ["-c", START, str(jobs.folder / LOCK), str(len(locks)), *locks, *jobs.words]
        with locked(jobs, [held.number for held in others]) as lock:
            os.set_inheritable(lock.fileno(), True)
            number = _start(words, self._environment(jobs), jobs.folder / "0.out")
        return str(number)

    def run(self, jobs: Jobs) -> int:
        """Run a batch in the foreground: its output is shown, Ctrl-C ends it; return the exit status.

        Its process begins with these signals blocked, and unblocks them once it handles them. It is in a process group
        of its own, so that each signal reaches it once, whether a terminal sends it to all or `kill` only to this one.
        """
        words = [sys.executable, *jobs.words, "--show"]
        asked, environment = stopping(), self._environment(jobs)
        with locked(jobs, []) as lock:
            with blocked(asked):
                process = subprocess.Popen(words, env=environment, pass_fds=[lock.fileno()], process_group=0)
                print(process.pid, file=lock, flush=True)
                before = {number: signal.signal(number, _pass_on(process, number)) for number in asked}
            try:
                return process.wait()
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

    def jobs(self, name: str, folder: Path) -> list[Job]:
        held = held_below(folder)
        alive = {each.number for each in held}
        return [
            Job(each.label, None, each.number, "pending", "Dependency")
            if alive.intersection(each.after)
            else Job(each.label, None, each.number, "running")
            for each in held
        ]

    def ended(self, numbers: list[str]) -> dict[str, str]:
        return {}  # no record is kept

    def cancel(self, name: str, folder: Path) -> None:
        for held in held_below(folder):
            if held.host != host():
                raise RunError(f"{held.label} runs on {held.host}", "cancel it there")
            with suppress(ProcessLookupError):  # it was killed, but its subprocesses hold the lock under its pid
                os.kill(int(held.number), signal.SIGTERM)

    def most(self) -> int:
        return 1_000_000

    def here(self) -> Here:
        there = gpus()
        whole = len(there) - len(there) % self.processes or len(there)  # a part of a group could train no run
        groups = tuple(",".join(there[start : start + self.processes]) for start in range(0, whole, self.processes))
        names = [{"CUDA_VISIBLE_DEVICES": group} for group in groups] or [{}]
        places = [names[place % len(names)] for place in range(self.places)]
        return Here(None, str(os.getpid()), host(), environments=places, groups=groups)

    def why(self) -> Why:
        return "cancelled"

    def requeue(self) -> None:
        """Does nothing: a local job is never preempted."""

    def _environment(self, jobs: Jobs) -> dict[str, str]:
        """Return the environment; concurrent trials divide the cores, since more threads than cores would slow them
        down.
        """
        threads = {"OMP_NUM_THREADS": str(max(1, len(os.sched_getaffinity(0)) // (self.places * self.processes)))}
        shared = threads if self.places * self.processes > 1 and "OMP_NUM_THREADS" not in os.environ else {}
        return {**os.environ, **shared, **jobs.environment}


def _pass_on(process: subprocess.Popen[bytes], number: int) -> Callable[..., None]:
    """Return a signal handler that forwards the signal."""

    def handler(*_: object) -> None:
        if number == signal.SIGHUP:
            hang_up()
        process.send_signal(number)

    return handler


def _start(words: list[str], environment: dict[str, str], output: Path) -> int:
    """Start a process that outlives this one and its terminal."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(output), flags, 0o666),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    # subprocess would warn about a process that nobody waits for
    return os.posix_spawn(
        sys.executable, [sys.executable, *words], environment, file_actions=files, setsid=True, setsigmask=()
    )


def gpus() -> list[str]:
    """Return the GPUs as CUDA_VISIBLE_DEVICES names them."""
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    if told is None:  # CUDA numbers the devices that it finds, whatever their files are called
        return [str(number) for number, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]
    names = [name.strip() for name in told.split(",")]
    end = next((place for place, name in enumerate(names) if not name or name.startswith("-")), len(names))
    return names[:end]  # like CUDA, stop at the first invalid name
