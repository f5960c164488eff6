"""Image files in a folder for each class: which there are, and how one becomes bytes of a fixed size."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cn import UserError
from cn.errors import lines, short
from data._crop import cut, fitted
from data._dataset import Dataset
from data._images import pixels
from data._loaded import Loaded
from data._split import hold_out
from data._workers import cores

ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
PARTS = {"train": ("train",), "validation": ("validation", "val", "valid"), "test": ("test",)}  # folders' names
MOST = 8  # processes, where nobody says how many


class Files:
    """Paths below a folder, and the class of each. They are one array of bytes: a Python object for each of many
    files would be copied into every worker process as it is looked at.
    """

    def __init__(self, root: Path, paths: Sequence[str], labels: Sequence[int]) -> None:
        encoded = [os.fsencode(each) for each in paths]
        self.root = root
        self.names: npt.NDArray[np.uint8] = np.frombuffer(b"".join(encoded), np.uint8)
        self.ends: npt.NDArray[np.int64] = np.cumsum([len(each) for each in encoded], dtype=np.int64)
        self.labels: npt.NDArray[np.int64] = np.array(labels, np.int64)

    def __len__(self) -> int:
        return len(self.labels)

    def path(self, index: int) -> Path:
        start = self.ends[index - 1] if index else 0
        return self.root / os.fsdecode(self.names[start : self.ends[index]].tobytes())


class Pictures:
    """Images `3 size size` of bytes and their labels, of some of the files; a map-style data set."""

    def __init__(self, files: Files, index: npt.NDArray[np.int64], *, size: int, least: float, flip: bool) -> None:
        self.files, self.index = files, index
        self.read = partial(cut, size=size, least=least, flip=flip) if least < 1 or flip else partial(fitted, size=size)

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: int, /) -> tuple[Tensor, int]:
        place = int(self.index[index])
        return torch.from_numpy(self.read(self.files.path(place))), int(self.files.labels[place])

    def name(self, index: int) -> str:
        return str(self.files.path(int(self.index[index])))


def load(
    root: Path,
    *,
    size: int,
    least: float,
    flip: bool,
    mean: Sequence[float],
    deviation: Sequence[float],
    workers: int | None,
    on_damaged: Literal["stop", "skip"],
    validation: float,
    test: float,
    seed: int,
) -> Dataset:
    """The data set. UserError where the folder holds no classes, or a part has others than the training part."""
    found = _parts(root)
    classes = _classes(found["train"])
    files = {name: _files(folder, classes, of=found["train"]) for name, folder in found.items()}
    train = files["train"]
    held = {name: share for name, share in (("validation", validation), ("test", test)) if name not in files}
    *out, rest = hold_out(train.labels, *held.values(), seed=seed)
    index = {name: (files[name], np.arange(len(files[name]))) for name in files if name != "train"}
    index |= {name: (train, each) for name, each in zip(held, out, strict=True)}
    index["train"] = (train, rest)
    scale = torch.tensor([1 / (255 * each) for each in deviation])[:, None, None]  # c 1 1
    shift = torch.tensor([-m / d for m, d in zip(mean, deviation, strict=True)])[:, None, None]

    def split(name: str) -> Loaded:
        varies = name == "train"
        pictures = Pictures(*index[name], size=size, least=least if varies else 1, flip=flip and varies)
        count = min(cores(), MOST) if workers is None else workers
        finish = Normalised(scale, shift)
        return Loaded(pictures, seed=seed, workers=count, on_damaged=on_damaged, finish=finish)

    return Dataset(
        split("train"),
        split("validation"),
        split("test"),
        (3, size, size),
        tuple(classes),
        noun="images",
        pixels=partial(pixels, scale=scale, shift=shift),
    )


class Normalised:
    """From bytes `b c h w` and labels to numbers and labels, on the device of the bytes."""

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        self.scale, self.shift = scale, shift

    def __call__(self, batch: Any) -> tuple[Tensor, Tensor]:
        images, labels = batch
        if self.scale.device != images.device:
            self.scale, self.shift = self.scale.to(images.device), self.shift.to(images.device)
        return images.float().mul_(self.scale).add_(self.shift), labels


def _parts(root: Path) -> dict[str, Path]:
    """The folder of each part that has one."""
    if not root.is_dir():
        what = "there is no such folder" if not root.exists() else "it is no folder"
        raise UserError(lines(f"data.root={short(str(root))}: {what}", "write: data.root=DIR, with DIR/train/CLASS/*"))
    found = {part: root / name for part, names in PARTS.items() for name in reversed(names) if (root / name).is_dir()}
    if found and "train" not in found:
        there, wanted = next(iter(found.values())), root / "train"
        raise UserError(lines(f"{there} is there, and {wanted} is not", f"it must be: {wanted}/CLASS/*.jpg"))
    return found or {"train": root}


def _classes(folder: Path) -> list[str]:
    """The names of the folders in one, in order."""
    found = sorted(each.name for each in os.scandir(folder) if each.is_dir() and not each.name.startswith("."))
    if len(found) < 2:
        what = f"{folder} has {len(found) or 'no'} folder{'s' * (len(found) != 1)}, and a class is a folder of images"
        raise UserError(lines(what, f"it must be: {folder}/CLASS/*.jpg, of two classes or more"))
    return found


def _files(folder: Path, classes: Sequence[str], *, of: Path) -> Files:
    own = _classes(folder)
    if more := [each for each in own if each not in classes]:
        what = f"{folder} has a class {short(repr(more[0]))}, which {of} has not"
        raise UserError(lines(what, f"its classes: {short(', '.join(classes))}"))
    paths: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        here = sorted(_below(folder / name, name)) if name in own else []
        if not here and name in own:
            kinds = ", ".join(each.removeprefix(".") for each in ENDINGS)
            raise UserError(lines(f"{folder / name} holds no image", f"a file of these kinds is one: {kinds}"))
        paths += here
        labels += [label] * len(here)
    return Files(folder, paths, labels)


def _below(folder: Path, name: str) -> Iterator[str]:
    """The image files in a folder and those in it, as paths that begin with `name`."""
    with os.scandir(folder) as entries:
        for each in entries:
            if each.name.startswith("."):
                continue
            if each.is_dir():
                yield from _below(folder / each.name, f"{name}/{each.name}")
            elif each.name.lower().endswith(ENDINGS):
                yield f"{name}/{each.name}"
