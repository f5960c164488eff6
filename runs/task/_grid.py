"""A picture of examples, each of which has several images: what it is, and what the network makes of it.

n examples, c channels, h height, w width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from runs.task._page import TEXT, fitted, font, tiles

WIDE = 8  # images in a row, at most
SIDE, GAP, APART = 112, 6, 24  # pixels: minimum side of an image and width of a column, and distances between columns
SIZE, LINE = 15, 24  # pixels: of the letters, and height of a line
Colour = tuple[int, int, int]


def draw(
    parts: Mapping[str, Any], *, title: str = "", paired: bool = True, key: Mapping[str, Colour] | None = None
) -> Any:
    """Return the picture, `h w 3` of bytes, with the images `n c h w` of each part below its name.

    paired: the images of an example stand side by side; otherwise all images of a part do.
    key: the colours that the picture uses, by what each means.
    """
    names, (n, _, h, w) = list(parts), next(iter(parts.values())).shape
    larger = max(1, SIDE // max(h, w))
    groups = max(1, min(n, WIDE // len(names)))  # examples in a row
    of_examples = [(each, name) for each in range(groups) for name in names]
    columns = of_examples if paired else sorted(of_examples, key=lambda column: names.index(column[1]))
    wide, high, block = max(SIDE, w * larger) + GAP, h * larger + GAP, len(names) if paired else groups
    lefts = [APART + place * wide + place // block * (APART - GAP) for place in range(len(columns))]
    width = lefts[-1] + wide - GAP + APART
    top, keyed = _wrapped(key or {}, width, APART // 2 + (LINE + GAP if title else 0))
    page = Image.new("RGB", (width, top + LINE + -(-n // groups) * high + APART - GAP), "white")
    pen, letters = ImageDraw.Draw(page), font(SIZE)
    if title:
        pen.text((APART, APART // 2), fitted(title, letters, width - 2 * APART), fill=TEXT, font=letters)
    for name, left, height in keyed:
        pen.rectangle((left, height + 3, left + SIZE, height + 3 + SIZE), fill=(key or {})[name])
        pen.text((left + SIZE + GAP, height), fitted(name, letters, width - left - APART), fill=TEXT, font=letters)
    shown = {name: tiles(images, larger) for name, images in parts.items()}
    for place, (left, (example, name)) in enumerate(zip(lefts, columns, strict=True)):
        if paired or place % block == 0:
            room = (wide if paired else block * wide) - GAP
            pen.text((left, top), fitted(name, letters, room), fill=TEXT, font=letters)
        for row, image in enumerate(shown[name][example::groups]):
            page.paste(Image.fromarray(image), (left, top + LINE + row * high))
    return np.asarray(page)


def _wrapped(key: Sequence[str] | Mapping[str, Any], width: int, top: int) -> tuple[int, list[tuple[str, int, int]]]:
    """Return the height below the key's lines, and each name with the place of its colour."""
    letters, left, placed = font(SIZE), APART, list[tuple[str, int, int]]()
    for name in key:
        needed = SIZE + GAP + round(letters.getlength(name))
        if left > APART and left + needed > width - APART:
            left, top = APART, top + LINE
        placed.append((name, left, top))
        left += needed + APART
    return (top + LINE + GAP if placed else top), placed
