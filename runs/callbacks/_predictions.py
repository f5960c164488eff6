"""A picture of images in two halves: as they are, and with a line of text under each.

n images, c channels, h height, w width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from einops import repeat
from PIL import Image, ImageDraw, ImageFont

from runs._training import Training
from runs.callbacks._hooks import Hooks, Metrics

IMAGES, COLUMNS = 16, 4  # in each half
SIDE, GAP, MIDDLE, TEXT = 96, 4, 20, 14  # pixels: of a small image once enlarged, between two, of halves, of a line
RIGHT, WRONG = (0, 110, 0), (190, 0, 0)  # colours of the line


class Shown(Hooks):
    adds = False

    @torch.no_grad()
    def on_validation(self, training: Training, metrics: Metrics) -> None:
        split, classes = training.dataset.validation, training.dataset.classes
        images, labels = split.batch(torch.arange(min(IMAGES, len(split)), device=training.device.device))
        pairs = list(zip(labels.tolist(), training.logits(images).argmax(dim=1).tolist(), strict=True))
        picture = draw(
            split.images[: len(pairs)].cpu().numpy(),
            [f"{classes[label]}/{chosen}" for label, chosen in ((a, classes[b]) for a, b in pairs)],
            [label == chosen for label, chosen in pairs],
        )
        if not training.ranks.first:
            return
        folder = training.folder / "predictions"
        folder.mkdir(exist_ok=True)
        Image.fromarray(picture).save(folder / f"{training.step:06d}.png")
        training.show("predictions", picture, training.step)


def draw(images: Any, texts: Sequence[str], right: Sequence[bool]) -> Any:
    """The picture, `h w 3`, of images `n c h w`, all bytes; of more than three channels the first three are shown."""
    n, c, h, w = images.shape
    larger = max(1, SIDE // max(h, w))
    shown = images[:, :3] if c >= 3 else repeat(images[:, 0], "n h w -> n c h w", c=3)
    tiles = repeat(shown, "n c h w -> n (h a) (w b) c", a=larger, b=larger)
    high, wide = h * larger + TEXT + GAP, w * larger + GAP  # of a tile with its line and the gap
    rows = -(-n // COLUMNS)
    page = Image.new("RGB", (2 * COLUMNS * wide + GAP + MIDDLE, rows * high + GAP), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=11)
    for number in range(n):
        row, column = divmod(number, COLUMNS)
        top, left = GAP + row * high, GAP + column * wide
        second = left + COLUMNS * wide + MIDDLE
        for start in (left, second):
            page.paste(Image.fromarray(tiles[number]), (start, top))
        line = _fit(texts[number], font, wide - GAP)
        pen.text((second, top + h * larger), line, fill=RIGHT if right[number] else WRONG, font=font)
    return np.asarray(page)


def _fit(text: str, font: Any, width: int) -> str:
    """The text, or as much of it as fits, with both sides of its stroke."""
    if font.getlength(text) <= width:
        return text
    sides = text.split("/")
    most = max(map(len, sides))
    while most > 1 and font.getlength("/".join(each[:most] for each in sides)) > width:
        most -= 1
    return "/".join(each[:most] for each in sides)
