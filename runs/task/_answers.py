"""A picture of images with what each is and what it was taken for above it, the wrong ones first.

n images, c channels, h height, w width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from runs.task._grid import tiles

SHOWN = 16  # images at most
COLUMNS = 4
SIDE, GAP = 128, 14  # pixels: of a small image once enlarged and of a column at least, and between two
LINE, TITLE = 18, 32  # pixels: height of a line above an image, and of the line above all
TEXT, FAINT, RIGHT, WRONG = (40, 40, 40), (130, 130, 130), (0, 110, 0), (190, 0, 0)  # colours


def draw(images: Any, labels: Sequence[str], given: Sequence[str]) -> Any:
    """The picture, `h w 3` of bytes, of at most 16 of the images `n c h w`, with the names of their classes.

    Above each stands its label and then the class that it was given, which is green where it is right, else red.
    """
    right = [label == name for label, name in zip(labels, given, strict=True)]
    chosen = sorted(range(len(right)), key=right.__getitem__)[:SHOWN]  # in their own order otherwise
    _, _, h, w = images.shape
    larger = max(1, SIDE // max(h, w))
    column, row = max(SIDE, w * larger) + GAP, 2 * LINE + h * larger + GAP
    rows = -(-len(chosen) // COLUMNS)
    page = Image.new("RGB", (GAP + COLUMNS * column, TITLE + rows * row), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=13)
    wrong = right.count(False)
    title = f"{wrong} of {len(right)} are wrong{', and come first' if 0 < wrong < len(chosen) else ''}"
    pen.text((GAP, 8), fitted(title, font, COLUMNS * column - GAP), fill=TEXT, font=font)
    for place, (number, image) in enumerate(zip(chosen, tiles(images[chosen], larger), strict=True)):
        left, top = GAP + place % COLUMNS * column, TITLE + place // COLUMNS * row
        answer = RIGHT if right[number] else WRONG
        for line, (word, name, colour) in enumerate(
            (("label", labels[number], TEXT), ("given", given[number], answer))
        ):
            start, height = left + round(font.getlength(f"{word}  ")), top + line * LINE
            pen.text((left, height), word, fill=FAINT, font=font)
            pen.text((start, height), fitted(name, font, left + column - GAP - start), fill=colour, font=font)
        page.paste(Image.fromarray(image), (left, top + 2 * LINE))
    return np.asarray(page)


def fitted(text: str, font: Any, width: int) -> str:
    """The text, or where it is wider than `width` pixels its beginning and an ellipsis."""
    if font.getlength(text) <= width:
        return text
    most = len(text)
    while most and font.getlength(f"{text[:most]}...") > width:
        most -= 1
    return f"{text[:most]}..."
