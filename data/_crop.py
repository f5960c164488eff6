"""From an image file to `3 size size` bytes: a random window in training, else the middle."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

Bytes = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels
TRIES = 10  # windows, before the middle is taken
ASPECTS = (3 / 4, 4 / 3)  # width to height of a window


def fitted(path: Path, *, size: int) -> Bytes:
    """The largest square in the middle of the image, made `size` pixels wide."""
    with Image.open(path) as image:
        w, h = _turned(image)
        side = min(w, h)
        left, top = (w - side) / 2, (h - side) / 2
        return _window(image, (left, top, left + side, top + side), size)


def cut(path: Path, *, size: int, least: float, flip: bool) -> Bytes:
    """A random window of the image, mirrored or not, drawn from Python's global generator.

    Szegedy et al. 2015 (arXiv:1409.4842), section 6: its area is uniform between `least` and all of the image, and the
    logarithm of its aspect ratio is uniform.
    """
    with Image.open(path) as image:
        found = _window(image, _drawn(*_turned(image), least), size)
    return found[:, :, ::-1].copy() if flip and random.random() < 0.5 else found


def _drawn(w: int, h: int, least: float) -> Box:
    for _ in range(TRIES):
        area = w * h * random.uniform(least, 1)
        aspect = math.exp(random.uniform(math.log(ASPECTS[0]), math.log(ASPECTS[1])))
        wide, high = math.sqrt(area * aspect), math.sqrt(area / aspect)
        if wide <= w and high <= h:
            left, top = random.uniform(0, w - wide), random.uniform(0, h - high)
            return left, top, left + wide, top + high
    wide, high = min(w, h * ASPECTS[1]), min(h, w / ASPECTS[0])  # the middle, as near to the image's own shape
    return (w - wide) / 2, (h - high) / 2, (w + wide) / 2, (h + high) / 2


def _turned(image: Image.Image) -> tuple[int, int]:
    """Width and height once the image is turned as its camera was held."""
    w, h = image.size
    return (h, w) if image.getexif().get(0x0112, 1) >= 5 else (w, h)


def _window(image: Image.Image, box: Box, size: int) -> Bytes:
    """The window, resized: `3 size size`. Of a large JPEG no more is decoded than is wanted."""
    whole = _turned(image)
    left, top, right, bottom = box
    shrink = min(right - left, bottom - top) / size
    if shrink > 2:
        image.draft("RGB", (math.ceil(image.size[0] / shrink), math.ceil(image.size[1] / shrink)))
    upright: Any = ImageOps.exif_transpose(image)
    across, down = upright.size[0] / whole[0], upright.size[1] / whole[1]
    here = (left * across, top * down, min(right * across, upright.size[0]), min(bottom * down, upright.size[1]))
    small = upright.convert("RGB").resize((size, size), Image.Resampling.BILINEAR, box=here, reducing_gap=2.0)
    return np.ascontiguousarray(np.asarray(small).transpose(2, 0, 1))
