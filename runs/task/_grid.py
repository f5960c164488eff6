"""A picture of images in two halves, each image beside another.

n images, c channels, h height, w width.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from einops import repeat
from PIL import Image

COLUMNS = 4  # in each half
SIDE, GAP, MIDDLE = 96, 4, 20  # pixels: of a small image once enlarged, between two, and between halves


def draw(images: Any, others: Any) -> Any:
    """The picture, `h w 3`, of images `n c h w` on the left and others on the right, all bytes."""
    n, _, h, w = images.shape
    larger = max(1, SIDE // max(h, w))
    halves = [tiles(each, larger) for each in (images, others)]
    high, wide = h * larger + GAP, w * larger + GAP  # of a tile with the gap
    rows = -(-n // COLUMNS)
    page = Image.new("RGB", (2 * COLUMNS * wide + GAP + MIDDLE, rows * high + GAP), "white")
    for number in range(n):
        row, column = divmod(number, COLUMNS)
        top, left = GAP + row * high, GAP + column * wide
        second = left + COLUMNS * wide + MIDDLE
        for start, half in zip((left, second), halves, strict=True):
            page.paste(Image.fromarray(half[number]), (start, top))
    return np.asarray(page)


def tiles(images: Any, larger: int) -> Any:
    """Images `n c h w` as `n (h a) (w a) 3`, enlarged; of more than three channels the first three are shown."""
    colours = images[:, :3] if images.shape[1] >= 3 else repeat(images[:, 0], "n h w -> n c h w", c=3)
    return repeat(colours, "n c h w -> n (h a) (w b) c", a=larger, b=larger)
