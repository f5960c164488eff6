"""CIFAR's binary format: records of one or two labels and 3x32x32 bytes, in a tar.gz. No code in it is executed."""

from __future__ import annotations

import tarfile
import zlib
from pathlib import Path, PurePosixPath

import numpy as np

from cn import UserError
from data._split import Part

PIXELS = 3 * 32 * 32  # bytes: all red, then all green, then all blue


def read_cifar(
    path: Path, *, train: tuple[str, ...], test: tuple[str, ...], names: str, labels: int
) -> tuple[Part, Part, tuple[str, ...]]:
    """Return training images, test images and class names, from members of the archive.

    `labels`: number of labels before each image; the last, finest one is used.
    """
    members = _members(path, {*train, *test, names})
    classes = tuple(members[names].decode().split())
    return _part(path, members, train, labels), _part(path, members, test, labels), classes


def _members(path: Path, wanted: set[str]) -> dict[str, bytes]:
    """Return the content of some files of an archive, in one pass and without unpacking it to the disk."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                name = PurePosixPath(member.name).name
                file = archive.extractfile(member) if name in wanted else None
                if file is not None:
                    found[name] = file.read()
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise UserError(f"'{path}' is damaged or cut short: {error}") from None
    if missing := sorted(wanted - found.keys()):
        raise UserError(f"'{path}' lacks {', '.join(missing)}: it is not the binary form of this data set")
    return found


def _part(path: Path, members: dict[str, bytes], names: tuple[str, ...], labels: int) -> Part:
    record = labels + PIXELS
    for name in names:
        if len(members[name]) % record or not members[name]:
            size = len(members[name])
            raise UserError(f"{name} in '{path}' is damaged: its {size} bytes are not whole records of {record} bytes")
    rows = np.frombuffer(b"".join(members[name] for name in names), np.uint8).reshape(-1, record)
    return np.ascontiguousarray(rows[:, labels:]).reshape(-1, 3, 32, 32), rows[:, labels - 1].copy()
