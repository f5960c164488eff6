"""A picture of images, each with its true and its predicted class above it, wrong ones first.

n images, c channels, h height, w width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from runs.task._page import FAINT, RIGHT, TEXT, WRONG, fitted, font, mark, tiles

SHOWN = 16  # maximum of images
COLUMNS = 4
SIDE, GAP = 192, 20  # pixels: minimum side of an image and width of a column, and distance between columns
SIZE, LINE, TITLE = 16, 24, 48  # pixels: of the letters, and height of a line above an image and of the title
HEAD = 2 * LINE + 8  # pixels: height above an image
MARK, FRAME = 14, 5  # pixels: side of a tick or a cross, and width of the frame of an image with a wrong prediction


def draw(images: Any, labels: Sequence[str], given: Sequence[str]) -> Any:
    """Return the picture, `h w 3` of bytes, of at most 16 images `n c h w` with class names.

    Above each image stand its label and the predicted class: with a tick if correct, else with a cross and a frame.
    """
    right = [label == name for label, name in zip(labels, given, strict=True)]
    chosen = sorted(range(len(right)), key=right.__getitem__)[:SHOWN]  # a stable sort
    _, _, h, w = images.shape
    larger = max(1, SIDE // max(h, w))
    column, row = max(SIDE, w * larger) + GAP, HEAD + h * larger + GAP
    columns = min(COLUMNS, len(chosen))
    page = Image.new("RGB", (GAP + max(columns, 2) * column, TITLE + -(-len(chosen) // columns) * row), "white")
    pen, letters = ImageDraw.Draw(page), font(SIZE)
    pen.text((GAP, 14), fitted(_title(right), font(SIZE + 2), page.width - 2 * GAP), fill=TEXT, font=font(SIZE + 2))
    start = GAP // 2 + round(max(map(letters.getlength, ("true", "predicted"))))
    for place, (number, image) in enumerate(zip(chosen, tiles(images[chosen], larger), strict=True)):
        left, top = GAP + place % columns * column, TITLE + place // columns * row
        answer = RIGHT if right[number] else WRONG
        for line, (word, name, colour) in enumerate(
            (("true", labels[number], TEXT), ("predicted", given[number], answer))
        ):
            height, room = top + line * LINE, column - GAP - start - MARK - 4
            pen.text((left, height), word, fill=FAINT, font=letters)
            pen.text((left + start, height), fitted(name, letters, room), fill=colour, font=letters)
        mark(pen, left + column - GAP - MARK, top + LINE + 5, MARK, right=right[number])
        high, wide, _ = image.shape
        if not right[number]:
            ends = (left + wide + FRAME - 1, top + HEAD + high + FRAME - 1)
            pen.rectangle((left - FRAME, top + HEAD - FRAME, *ends), fill=WRONG)
        page.paste(Image.fromarray(image), (left, top + HEAD))
    return np.asarray(page)


def _title(right: Sequence[bool]) -> str:
    """Return how many of the examples are wrong, and which of them the picture has."""
    wrong, count = right.count(False), len(right)
    first = f"; {SHOWN} are shown, wrong ones first" if wrong and count > SHOWN else ""
    return f"{wrong} of {count} predictions are wrong{first}"
