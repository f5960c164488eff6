"""From an encoded image to `3 size size` bytes: a random window in training, else the central square."""

from __future__ import annotations

import math
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

Source = Path | BytesIO  # the path or the content of an image
Bytes = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels
TRIES = 10  # windows tried before the central one is used
TURNS = {  # EXIF orientation -> transpose to upright
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ASPECTS = (3 / 4, 4 / 3)  # width to height of a window


class Draws(Protocol):
    """A source of random numbers: a `random.Random`, or the module `random`."""

    def random(self) -> float: ...

    def uniform(self, a: float, b: float) -> float: ...


def fitted(source: Source, *, size: int) -> Bytes:
    """Return the largest central square of the image, resized to `size` pixels."""
    with Image.open(source) as image:
        w, h = _turned(image)
        side = min(w, h)
        left, top = (w - side) / 2, (h - side) / 2
        return _window(image, (left, top, left + side, top + side), size)


def cut(source: Source, random: Draws, *, size: int, least: float, flip: bool) -> Bytes:
    """Return a random window of the image, perhaps mirrored.

    Szegedy et al. 2015 (arXiv:1409.4842), section 6: the area is uniform between `least` and the whole image, and the
    logarithm of the aspect ratio is uniform.
    """
    with Image.open(source) as image:
        found = _window(image, _drawn(random, *_turned(image), least), size)
    return found[:, :, ::-1].copy() if flip and random.random() < 0.5 else found


def _drawn(random: Draws, w: int, h: int, least: float) -> Box:
    for _ in range(TRIES):
        area = w * h * random.uniform(least, 1)
        aspect = math.exp(random.uniform(math.log(ASPECTS[0]), math.log(ASPECTS[1])))
        wide, high = math.sqrt(area * aspect), math.sqrt(area / aspect)
        if wide <= w and high <= h:
            left, top = random.uniform(0, w - wide), random.uniform(0, h - high)
            return left, top, left + wide, top + high
    wide, high = min(w, h * ASPECTS[1]), min(h, w / ASPECTS[0])  # the central window, closest to the image's shape
    return (w - wide) / 2, (h - high) / 2, (w + wide) / 2, (h + high) / 2


def _turned(image: Image.Image) -> tuple[int, int]:
    """Return width and height of the upright image."""
    w, h = image.size
    return (h, w) if _turn(image) >= 5 else (w, h)


def _turn(image: Image.Image) -> int:
    """Return EXIF's orientation, 1 to 8."""
    found: Any = image.getexif().get(0x0112, 1)
    return found if found in TURNS else 1


def _window(image: Image.Image, box: Box, size: int) -> Bytes:
    """Return the window, resized: `3 size size`. A large JPEG is decoded at a reduced size."""
    (w, h), turn = image.size, _turn(image)
    left, top, right, bottom = box
    if turn >= 5:  # the box in the stored, rotated image
        left, top, right, bottom = top, left, bottom, right
    if turn in (2, 3, 7, 8):
        left, right = w - right, w - left
    if turn in (3, 4, 6, 7):
        top, bottom = h - bottom, h - top
    shrink = min(right - left, bottom - top) / size
    drafted = image.draft("RGB", (math.ceil(w / shrink), math.ceil(h / shrink))) if shrink > 2 else None
    scale = drafted[1][2] / w if drafted else 1.0  # 1/8 of 300 pixels are 37.5, in 38
    here = (left * scale, top * scale, min(right * scale, image.size[0]), min(bottom * scale, image.size[1]))
    small = _rgb(image).resize((size, size), Image.Resampling.BILINEAR, box=here, reducing_gap=2.0)
    method = TURNS[turn]
    upright = small if method is None else small.transpose(method)
    return np.ascontiguousarray(np.asarray(upright).transpose(2, 0, 1))


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # convert() would clip levels above 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):  # whole numbers of 32 bits, and fractions: convert() would clip them too
        ends: Any = image.getextrema()
        low, high = ends
        if low < 0 or high > 255 or (image.mode == "F" and 0 < high <= 1):
            raise OSError(f"its levels are {low:g} to {high:g}, and those of a picture are 0 to 255")
    elif image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # otherwise Pillow warns
    return image.convert("RGB")
