"""Rows of GLUE's files: tab-separated columns without quotes."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cn import UserError
from cn.errors import hint, short

if TYPE_CHECKING:
    from data.glue import Layout

BOM = b"\xef\xbb\xbf"  # byte order mark of some editors, and of MRPC


@dataclass(frozen=True)
class Source:
    """A folder of GLUE, or an archive of one of its tasks."""

    place: Path
    folder: str  # name of the task's folder in it

    @contextmanager
    def opened(self, name: str) -> Generator[IO[bytes]]:
        if self.place.is_dir():
            with (self.place / self.folder / name).open("rb") as file:
                yield file
        else:
            with zipfile.ZipFile(self.place) as archive, archive.open(f"{self.folder}/{name}") as file:
                yield file


@dataclass(frozen=True)
class Rows:
    """The rows of a file, or a subset of them."""

    sentences: list[list[str]]  # by column
    labels: npt.NDArray[Any]  # n: class numbers, or scores

    def at(self, index: npt.NDArray[np.int64]) -> Rows:
        return Rows([[column[each] for each in index] for column in self.sentences], self.labels[index])


def read(source: Source, name: str, layout: Layout) -> Rows:
    """Return the rows of a file of the task; UserError, with the line, for a row that violates the layout."""
    path = source.place / source.folder / name
    labels: list[float] = []
    sentences: list[list[str]] = [[] for _ in layout.sentences]
    with source.opened(name) as file:
        numbered = enumerate(file, 1)
        header = layout.header or [cell for _, line in islice(numbered, 1) for cell in _cells(path, 1, line)]
        if not header:
            raise UserError(f"'{path}' holds no row")
        *texts, label = (_place(path, header, each) for each in (*layout.sentences, layout.label))
        for number, line in numbered:
            cells = _cells(path, number, line)
            if len(cells) != len(header):
                if layout.gaps:
                    continue
                what = f"{_at(path, number)} has {len(cells)} columns, and must have {len(header)}"
                raise UserError(what, f"they are: {', '.join(header)}")
            found = [cells[each].strip() for each in texts]
            if not all(found):
                if layout.gaps:
                    continue
                raise UserError(f"{_at(path, number)} has an empty {layout.sentences[found.index('')]}")
            labels.append(_label(path, number, cells[label], layout))
            for column, text in zip(sentences, found, strict=True):
                column.append(text)
    if not labels:
        raise UserError(f"'{path}' holds no row")
    return Rows(sentences, np.array(labels, np.int64 if layout.classes else np.float64))


def _cells(path: Path, number: int, line: bytes) -> list[str]:
    try:
        return line.removeprefix(BOM if number == 1 else b"").rstrip(b"\r\n").decode().split("\t")
    except UnicodeDecodeError:
        raise UserError(f"{_at(path, number)} is no text in UTF-8") from None


def _place(path: Path, header: Sequence[str], column: str) -> int:
    if column not in header:
        what = f"{_at(path, 1)} names no column {column}, which the task needs"
        raise UserError(what, hint(column, header), f"it names: {short(', '.join(header))}")
    return header.index(column)


def _label(path: Path, number: int, word: str, layout: Layout) -> float:
    if layout.classes:
        if word not in layout.classes:
            what = f"{_at(path, number)}: {layout.label} is {short(repr(word))}, which is no label of the task"
            raise UserError(what, f"they are: {', '.join(layout.classes)}")
        return list(layout.classes).index(word)
    try:
        score = float(word)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise UserError(f"{_at(path, number)}: {layout.label} is {short(repr(word))}, and must be a number")
    return score


def _at(path: Path, number: int) -> str:
    return f"'{path}', line {number}"
