"""A daemon that ends with the test that started it, and with it all that it started.

A job's processes leave their parents and sessions, and a test that is killed stops nothing. So each daemon is the
child of a small process of its own, which adopts the orphans among its descendants (Linux's PR_SET_CHILD_SUBREAPER)
and kills every descendant when its input ends, however that came about.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of linux/prctl.h


class Daemon:
    """The test's end of it; what the daemon prints is added to a file."""

    def __init__(self, command: Sequence[str], *, output: Path, environment: Mapping[str, str]) -> None:
        self._keeper = subprocess.Popen(
            [sys.executable, "-IS", __file__, str(output), *command],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the tests
        )
        assert self._keeper.stdout is not None
        self.pid = int(self._keeper.stdout.readline())

    @property
    def is_alive(self) -> bool:
        return Path(f"/proc/{self.pid}").exists()

    def processes(self) -> list[int]:
        """Its own and all that came of it."""
        return list(descendants(self._keeper.pid))

    def end(self, timeout: float = 30) -> None:
        """Asks it to, and waits."""
        os.kill(self.pid, signal.SIGTERM)
        end = time.monotonic() + timeout
        while self.is_alive and time.monotonic() < end:
            time.sleep(0.05)
        self.kill()

    def kill(self) -> None:
        """As a power cut does, jobs included."""
        self._keeper.communicate()  # closes its input, and waits for its end


def main(output: str, *command: str) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "this process cannot adopt orphans")
    signal.signal(signal.SIGCHLD, bury)
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    print(os.posix_spawn(command[0], command, os.environ, file_actions=files, setsid=True), flush=True)
    sys.stdin.read()
    stopped: set[int] = set()
    while new := set(descendants(os.getpid())) - stopped:  # none of them may report the end of another
        tell(new, signal.SIGSTOP)
        stopped |= new
    while found := set(descendants(os.getpid())):
        tell(found, signal.SIGKILL)
        time.sleep(0.02)


def tell(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def bury(_number: int, _frame: FrameType | None) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def descendants(ancestor: int) -> Iterator[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            parent = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = [ancestor]
    for pid in found:  # grows while it is read
        found += children.get(pid, [])
        yield from children.get(pid, [])


if __name__ == "__main__":
    main(*sys.argv[1:])
