"""Small image files in a folder for each class, and how they are damaged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"cat": (200, 40, 40), "dog": (40, 60, 200), "eel": (40, 180, 60)}


def picture(colour: Sequence[int], seed: int, size: tuple[int, int] = (12, 12)) -> Image.Image:
    """A colour in a little noise; width and height."""
    noise = np.random.default_rng(seed).integers(-20, 20, (size[1], size[0], 3))
    return Image.fromarray((np.array(colour) + noise).clip(0, 255).astype(np.uint8))


def write(root: Path, classes: Sequence[str] = ("cat", "dog"), **parts: int) -> Path:
    """`write(root, train=24, test=8)`: as many JPEG files in each part, with the classes in turn."""
    for seed, (part, count) in enumerate(parts.items()):
        for number in range(count):
            name = classes[number % len(classes)]
            folder = root / part / name
            folder.mkdir(parents=True, exist_ok=True)
            picture(COLOURS[name], 1000 * seed + number).save(folder / f"{number:03d}.jpg", quality=90)
    return root


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-60])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("this is no image\n")
