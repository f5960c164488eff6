"""The secret of a batch's jobs: a file that only its owner can read, with which the nodes of a job authenticate."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from cn.errors import RunError

SIZE = 32  # bytes


def make(path: Path) -> None:
    """Write a new secret. Raises RunError if the file system lets others read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
        file.write(secrets.token_bytes(SIZE))
        file.flush()
        os.fsync(file.fileno())
    read(path)


def read(path: Path) -> bytes:
    """Return the secret. Raises RunError if the file is missing, damaged, or readable by others."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise _unusable(path, "is no file")
            if found.st_uid != os.geteuid() or found.st_mode & 0o077:
                raise _unusable(path, "can be read or changed by others")
            secret = file.read(SIZE + 1)
    except OSError as error:
        raise _unusable(path, f"cannot be read ({error.strerror})") from None
    if len(secret) != SIZE:
        raise _unusable(path, f"is damaged: it has not {SIZE} bytes")
    return secret


def _unusable(path: Path, what: str) -> RunError:
    why = f"{path} {what}: by this secret the nodes of a job know each other"
    return RunError(why, "to have a new one, in a folder that keeps it: cancel the sweep, then retry it")
