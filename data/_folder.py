"""Image files in one folder per class: the files, and their classes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cn import UserError
from cn.errors import short
from data._parts import PARTS

ENDINGS = (".jpg", ".jpeg", ".png", ".webp")


class Files:
    """Paths below a folder, and their classes, stored as one byte array: a Python object per file would be copied into
    every
    worker process by reference counting.
    """

    def __init__(self, root: Path, paths: Sequence[str], labels: Sequence[int]) -> None:
        encoded = [os.fsencode(each) for each in paths]
        self.root = root
        self.names: npt.NDArray[np.uint8] = np.frombuffer(b"".join(encoded), np.uint8)
        self.ends: npt.NDArray[np.int64] = np.cumsum([len(each) for each in encoded], dtype=np.int64)
        self.labels: npt.NDArray[np.int64] = np.array(labels, np.int64)

    def __len__(self) -> int:
        return len(self.labels)

    def open(self, index: int) -> Path:
        start = self.ends[index - 1] if index else 0
        return self.root / os.fsdecode(self.names[start : self.ends[index]].tobytes())

    def name(self, index: int) -> str:
        return str(self.open(index))


def read(root: Path) -> tuple[dict[str, Files], list[str]]:
    """Return the files of each part that has a folder, and the classes.

    UserError if the folder has no classes, or if a part has a class that the training part lacks.
    """
    found = _parts(root)
    classes = _classes(found["train"])
    return {name: _files(folder, classes, of=found["train"]) for name, folder in found.items()}, classes


def _parts(root: Path) -> dict[str, Path]:
    """Return the folder of each existing part."""
    if not root.is_dir():
        what = "there is no such folder" if not root.exists() else "it is no folder"
        raise UserError(f"data.root={short(str(root))}: {what}", "write: data.root=DIR, with DIR/train/CLASS/*")
    found = {part: root / name for part, names in PARTS.items() for name in reversed(names) if (root / name).is_dir()}
    if found and "train" not in found:
        there, wanted = next(iter(found.values())), root / "train"
        raise UserError(f"{there} is there, and {wanted} is not", f"it must be: {wanted}/CLASS/*.jpg")
    return found or {"train": root}


def _classes(folder: Path) -> list[str]:
    """Return the sorted names of the folders in a folder."""
    found = sorted(each.name for each in os.scandir(folder) if each.is_dir() and not each.name.startswith("."))
    if len(found) < 2:
        what = f"{folder} has {len(found) or 'no'} folder{'s' * (len(found) != 1)}, and a class is a folder of images"
        raise UserError(what, f"it must be: {folder}/CLASS/*.jpg, of two classes or more")
    return found


def _files(folder: Path, classes: Sequence[str], *, of: Path) -> Files:
    own = _classes(folder)
    if more := [each for each in own if each not in classes]:
        what = f"{folder} has a class {short(repr(more[0]))}, which {of} has not"
        raise UserError(what, f"its classes: {short(', '.join(classes))}")
    paths: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        here = sorted(_below(folder / name, name)) if name in own else []
        if not here and name in own:
            kinds = ", ".join(each.removeprefix(".") for each in ENDINGS)
            raise UserError(f"{folder / name} holds no image", f"a file of these kinds is one: {kinds}")
        paths += here
        labels += [label] * len(here)
    return Files(folder, paths, labels)


def _below(folder: Path, name: str) -> Iterator[str]:
    """Yield the image files in a folder, recursively, as paths that begin with `name`."""
    with os.scandir(folder) as entries:
        for each in entries:
            if each.name.startswith("."):
                continue
            if each.is_dir():
                yield from _below(folder / each.name, f"{name}/{each.name}")
            elif each.name.lower().endswith(ENDINGS):
                yield f"{name}/{each.name}"
