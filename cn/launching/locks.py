"""The lock of each local batch: its process and all subprocesses hold the file open while they live.

The file names the owner, and the kernel knows the holder, so that the kernel is asked if the file is damaged.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cn.errors import RunError
from cn.launching.queue import Jobs
from cn.run_folder.state_files import DamagedError, built, content, parsed

LOCK = "lock"
UNLOCKED = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)  # how a file system without locks answers
NOTED = 100  # times 0.05 s; the maximum wait for a process to write its pid


@dataclass(frozen=True)
class Held:
    """A batch whose process, or a subprocess, is alive."""

    path: Path  # of the lock file
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


def locked(jobs: Jobs, after: list[str]) -> IO[str]:
    """Create and lock the lock file; the lock lasts until this process and the one that inherits it are gone."""
    jobs.folder.mkdir(parents=True, exist_ok=True)
    lock = (jobs.folder / LOCK).open("w")
    print(json.dumps({"label": jobs.label, "host": host(), "after": after}), file=lock, flush=True)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        lock.close()
        what = f"{lock.name} cannot be locked, so nothing would say whether its process lives: {error.strerror}"
        raise RunError(what, "go to a folder on another file system") from None
    return lock


def host() -> str:
    """Return the name of this machine."""
    import socket  # only here, since most batches are over

    return socket.gethostname()


def held_below(folder: Path) -> list[Held]:
    """Return the live batches below a folder."""
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
    """Return the live batch of a lock; None once it is over. Raises DamagedError."""
    built(Head, parsed((content(path) or b"").partition(b"\n")[0], path), path)
    with path.open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared, so that two readers never conflict
        except BlockingIOError:
            head, _, number = lock.read().partition(b"\n")
            told = built(Head, parsed(head, path), path)
            for _ in range(NOTED):
                if number:
                    break
                time.sleep(0.05)
                number = lock.read()
            number = number.strip().decode(errors="replace")
            if told.host == host() and not _has_open(number, path):
                raise DamagedError(path, "it holds no number of its process") from None
            return Held(path, told.label, told.host, told.after, number)
        except OSError as error:
            if error.errno not in UNLOCKED:
                raise
            return _unlisted(path)
    return None


def _unlisted(path: Path) -> Held | None:
    """Return the batch of an unreadable lock, from the kernel's list of open files; enough to cancel it."""
    number = holder(path)
    return None if number is None else Held(path, path.parent.name, host(), (), str(number))


def _numbered(path: Path) -> bool:
    """Return whether a file holds the pid of a live process on this machine."""
    try:
        number = (content(path) or b"").strip()
    except DamagedError:
        return True
    return not number.isdigit() or os.path.exists(f"/proc/{number.decode()}")


def _has_open(number: str, path: Path) -> bool:
    """Return whether the process with that pid, or a subprocess, can be the holder of a lock."""
    if not number.isdigit() or len(number) > len(str(2**31)):
        return False
    try:
        if any(os.readlink(each) in _names(path) for each in Path("/proc", number, "fd").iterdir()):
            return True
        state = Path("/proc", number, "stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        state = "Z"
    except OSError:  # owned by another user
        return False
    return state == "Z" and int(number) > 1  # it was killed, and a subprocess keeps the lock


def _names(path: Path) -> set[str]:
    """Return the names that /proc shows for an open file, also after its removal."""
    return {str(path.absolute()), str(path.resolve()), f"{path.absolute()} (deleted)", f"{path.resolve()} (deleted)"}


def holder(path: Path) -> int | None:
    """Return the topmost process on this machine that has a lock open, found through /proc; None without one."""
    names = _names(path)
    parents: dict[int, int] = {}
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(os.readlink(handle) in names for handle in (each / "fd").iterdir()):
                parents[int(each.name)] = int((each / "stat").read_text().rpartition(")")[2].split()[1])
    first = [number for number, parent in parents.items() if parent not in parents and number != os.getpid()]
    return min(first, default=None)
