"""The idx format of MNIST: a magic number, the sizes, then bytes; gzipped or plain."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cn import UserError

GZIP = b"\x1f\x8b"
UINT8 = 0x08  # the only type in MNIST's files


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """Return the byte array in a file, in its stated shape."""
    content = path.read_bytes()
    if content.startswith(GZIP):
        try:
            content = gzip.decompress(content)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UserError(f"'{path}' is damaged or cut short: {error}") from None
    if len(content) < 4 or content[:3] != bytes((0, 0, UINT8)) or len(content) < 4 + 4 * content[3]:
        raise UserError(f"'{path}' is not an idx file of bytes: it begins with {content[:4].hex(' ') or 'nothing'}")
    start = 4 + 4 * content[3]
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    if len(content) - start != np.prod(shape, dtype=np.int64):
        raise UserError(f"'{path}' is damaged: it states a shape of {shape} and holds {len(content) - start} bytes")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()  # torch needs a writable array


def read_pair(images: Path, labels: Path) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return grey images `n 1 h w` and their labels `n`."""
    x, y = read_idx(images), read_idx(labels)
    if x.ndim != 3 or y.shape != x.shape[:1]:
        raise UserError(f"'{images}' {x.shape} and '{labels}' {y.shape} are not images and their labels")
    return x[:, None], y
