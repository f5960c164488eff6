"""A picture of images in two halves, each image beside another, which may have a line of text below.

n images, c channels, h height, w width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from einops import repeat
from PIL import Image, ImageDraw, ImageFont

COLUMNS = 4  # in each half
SIDE, GAP, MIDDLE, TEXT = 96, 4, 20, 14  # pixels: of a small image once enlarged, between two, of halves, of a line
RIGHT, WRONG = (0, 110, 0), (190, 0, 0)  # colours of the line


def draw(images: Any, others: Any, texts: Sequence[str] = (), right: Sequence[bool] = ()) -> Any:
    """The picture, `h w 3`, of images `n c h w` on the left and others on the right, all bytes.

    texts: a line below each of the others, green where `right` says so and else red.
    """
    n, _, h, w = images.shape
    larger = max(1, SIDE // max(h, w))
    halves = [_tiles(each, larger) for each in (images, others)]
    high, wide = h * larger + TEXT + GAP, w * larger + GAP  # of a tile with its line and the gap
    rows = -(-n // COLUMNS)
    page = Image.new("RGB", (2 * COLUMNS * wide + GAP + MIDDLE, rows * high + GAP), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=11)
    for number in range(n):
        row, column = divmod(number, COLUMNS)
        top, left = GAP + row * high, GAP + column * wide
        second = left + COLUMNS * wide + MIDDLE
        for start, tiles in zip((left, second), halves, strict=True):
            page.paste(Image.fromarray(tiles[number]), (start, top))
        if texts:
            line = _fit(texts[number], font, wide - GAP)
            pen.text((second, top + h * larger), line, fill=RIGHT if right[number] else WRONG, font=font)
    return np.asarray(page)


def _tiles(images: Any, larger: int) -> Any:
    """Images `n c h w` as `n (h a) (w a) 3`, enlarged; of more than three channels the first three are shown."""
    colours = images[:, :3] if images.shape[1] >= 3 else repeat(images[:, 0], "n h w -> n c h w", c=3)
    return repeat(colours, "n c h w -> n (h a) (w b) c", a=larger, b=larger)


def _fit(text: str, font: Any, width: int) -> str:
    """The text, or as much of it as fits, with both sides of its stroke."""
    if font.getlength(text) <= width:
        return text
    sides = text.split("/")
    most = max(map(len, sides))
    while most > 1 and font.getlength("/".join(each[:most] for each in sides)) > width:
        most -= 1
    return "/".join(each[:most] for each in sides)
