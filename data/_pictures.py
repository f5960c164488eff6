"""Images stored encoded, in files or in a table, and decoded to a fixed size when needed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
from PIL import UnidentifiedImageError
from torch import Tensor

from data._crop import Draws, cut, fitted
from data._dataset import Dataset
from data._images import pixels
from data._loaded import Loaded
from data._split import parted
from data._workers import cores

MOST = 8  # default maximum of worker processes


class Stored(Protocol):
    """Encoded images with labels."""

    labels: npt.NDArray[np.int64]

    def open(self, index: int) -> Path | BytesIO:
        """Return the path or the content of an image. OSError if it is missing."""
        ...

    def name(self, index: int) -> str:
        """Return the name of an image in messages."""
        ...


class Pictures:
    """A map-style data set of some stored images: bytes `3 size size`, and labels."""

    def __init__(self, stored: Stored, index: npt.NDArray[np.int64], *, size: int, least: float, flip: bool) -> None:
        self.stored, self.index, self.size, self.least, self.flip = stored, index, size, least, flip
        self.random = random.Random(0)

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: int, /) -> tuple[Tensor, int]:
        return self._read(index, random)

    def seeded(self, index: int, seed: int) -> tuple[Tensor, int]:
        """Return an image, whose window and sides follow from the seed, and its label."""
        self.random.seed(seed)  # a new generator would be seeded twice
        return self._read(index, self.random)

    def _read(self, index: int, draws: Draws) -> tuple[Tensor, int]:
        place = int(self.index[index])
        source = self.stored.open(place)
        try:
            if self.least < 1 or self.flip:
                image = cut(source, draws, size=self.size, least=self.least, flip=self.flip)
            else:
                image = fitted(source, size=self.size)
            return torch.from_numpy(image), int(self.stored.labels[place])
        except UnidentifiedImageError:
            if isinstance(source, Path):
                raise
            raise OSError("it holds no image of a kind that is known") from None  # Pillow would print an address

    def name(self, index: int) -> str:
        return self.stored.name(int(self.index[index]))


def assemble(
    stored: Mapping[str, Stored],
    *,
    classes: Sequence[str],
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
    """Return the data set. `stored` has train, and validation and test unless they are held out of train."""
    labels = {name: each.labels for name, each in stored.items()}
    parts = parted(labels, validation=validation, test=test, seed=seed, noun="images")
    scale = torch.tensor([1 / (255 * each) for each in deviation])[:, None, None]  # c 1 1
    shift = torch.tensor([-m / d for m, d in zip(mean, deviation, strict=True)])[:, None, None]

    def split(name: str) -> Loaded:
        varies, (source, index) = name == "train", parts[name]
        pictures = Pictures(stored[source], index, size=size, least=least if varies else 1, flip=flip and varies)
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
    """Map bytes `b c h w` and labels to normalised numbers and labels, on the device of the bytes."""

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        self.scale, self.shift = scale, shift

    def __call__(self, batch: Any) -> tuple[Tensor, Tensor]:
        images, labels = batch
        if self.scale.device != images.device:
            self.scale, self.shift = self.scale.to(images.device), self.shift.to(images.device)
        return images.float().mul_(self.scale).add_(self.shift), labels
