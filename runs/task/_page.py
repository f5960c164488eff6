"""What the pictures of predictions share: their letters, their colours, and the enlarged images.

The colours can be told apart by people with any kind of colour blindness (Okabe and Ito 2008).
"""

from __future__ import annotations

from typing import Any

from einops import repeat
from PIL import ImageDraw, ImageFont

TEXT, FAINT = (40, 40, 40), (110, 110, 110)
RIGHT, WRONG = (0, 114, 178), (213, 94, 0)


def font(size: int) -> Any:
    """Return the font of all texts, of that many pixels."""
    return ImageFont.load_default(size=size)


def fitted(text: str, letters: Any, width: int) -> str:
    """Return the text, truncated with an ellipsis if it is wider than `width` pixels."""
    if letters.getlength(text) <= width:
        return text
    most = len(text)
    while most and letters.getlength(f"{text[:most]}...") > width:
        most -= 1
    return f"{text[:most]}..."


def tiles(images: Any, larger: int) -> Any:
    """Return images `n c h w` enlarged as `n (h a) (w a) 3`; only the first three channels are shown."""
    colours = images[:, :3] if images.shape[1] >= 3 else repeat(images[:, 0], "n h w -> n c h w", c=3)
    return repeat(colours, "n c h w -> n (h a) (w b) c", a=larger, b=larger)


def mark(pen: ImageDraw.ImageDraw, left: int, top: int, side: int, *, right: bool) -> None:
    """Draw a tick or a cross into a square."""
    end, middle, width = side - 1, side // 2, max(2, side // 5)
    if right:
        pen.line([(left, top + middle), (left + side // 3, top + end), (left + end, top)], fill=RIGHT, width=width)
        return
    pen.line([(left, top), (left + end, top + end)], fill=WRONG, width=width)
    pen.line([(left, top + end), (left + end, top)], fill=WRONG, width=width)
