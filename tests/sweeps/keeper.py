"""Daemons that end with the test that started them, and with them all that they started.

A job's processes leave their parents and sessions, and a test that is killed stops nothing. So the daemons belong to
a process of their own, which adopts the orphans among its descendants (Linux's PR_SET_CHILD_SUBREAPER), and kills
every descendant when its input ends, however that came about.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of linux/prctl.h


class Keeper:
    """The test's end of it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.daemons: dict[str, int] = {}  # process ids
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the tests
        )

    def start(self, name: str, command: list[str], output: Path) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([command, str(output)]), file=self._process.stdin, flush=True)
        self.daemons[name] = int(self._process.stdout.readline())

    def kill(self, name: str, number: int = signal.SIGTERM) -> int:
        """The daemon's process id, which is gone from /proc once it has ended."""
        pid = self.daemons.pop(name)
        os.kill(pid, number)
        return pid

    def dead(self) -> list[str]:
        """Those that ended by themselves."""
        return [name for name, pid in self.daemons.items() if not Path(f"/proc/{pid}").exists()]

    def processes(self) -> list[int]:
        """All that came of the daemons."""
        return list(descendants(self._process.pid))

    def stop(self) -> None:
        self._process.communicate()  # closes its input, and waits for its end


def main() -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "this process cannot adopt orphans")
    signal.signal(signal.SIGCHLD, bury)
    for line in sys.stdin:
        command, output = json.loads(line)
        print(spawn(command, output), flush=True)
    while found := list(descendants(os.getpid())):
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def spawn(command: list[str], output: str) -> int:
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, output, append, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(command[0], command, os.environ, file_actions=files, setsid=True)


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
    main()
