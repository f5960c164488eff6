"""Atomic writes: a file has its old content or its new one, whatever is killed and whichever disk is full."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path, *, synced: bool = True) -> Generator[Path]:
    """Yield a temporary path in the same folder, and rename it to `path` at the end.

    If the block fails, the temporary file is removed and `path` keeps its content. A symbolic link at `path` is
    replaced, not followed. synced: call fsync before the rename, so that a power failure leaves no empty file.
    """
    beside = path.with_name(f".{path.name}.{threading.get_native_id()}")  # in the main thread, this is the process id
    beside.unlink(missing_ok=True)  # a killed process with this id may have left a file or a link
    try:
        yield beside
        if synced:
            sync(beside)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: str | bytes, *, synced: bool = True) -> None:
    """Write a file atomically; a str is encoded as UTF-8."""
    with replacing(path, synced=synced) as beside:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)


def link_or_copy(path: Path, other: Path) -> None:
    """Give a file a second name, or copy it where the file system has no links; OSError if the disk is full."""
    try:
        os.link(path, other)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        import shutil  # a command that only reads needs it not

        shutil.copy2(path, other)
        sync(other)


def sync(path: Path) -> None:
    """Call fsync on a file, or on a folder so that its entries are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_unfinished(folder: Path, *patterns: str) -> None:
    """Remove the temporary files that `replacing` left in killed processes; no process may be writing meanwhile."""
    for pattern in patterns:
        for each in folder.glob(f".{pattern}.*"):
            if each.suffix[1:].isdecimal():
                each.unlink(missing_ok=True)
