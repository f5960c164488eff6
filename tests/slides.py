"""What a figure on a slide needs: texts that can be read and do not cover one another, and no empty panel."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

SMALLEST = 8.0  # points
LOOSE = 1.0  # pixels by which boxes may overlap


def texts(figure: Figure) -> list[Text]:
    """The texts that are drawn: of tick labels, those within the limits of their axis."""
    hidden: set[int] = set()
    for panel in figure.axes:
        for axis in (panel.xaxis, panel.yaxis):
            low, high = sorted(axis.get_view_interval())
            room = 1e-9 * (high - low)
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low - room <= tick.get_loc() <= high + room:
                    hidden |= {id(tick.label1), id(tick.label2)}
    found: list[Any] = figure.findobj(Text)
    return [each for each in found if each.get_visible() and each.get_text().strip() and id(each) not in hidden]


def assert_fit_for_a_slide(figure: Figure) -> None:
    """Draws the figure and looks at every text and panel of it."""
    FigureCanvasAgg(figure).draw()
    whole = figure.bbox
    found = texts(figure)
    boxes = [each.get_window_extent() for each in found]
    for text, box in zip(found, boxes, strict=True):
        told = text.get_text()
        assert text.get_fontsize() >= SMALLEST, told
        assert whole.x0 - LOOSE <= box.x0 <= box.x1 <= whole.x1 + LOOSE, f"{told!r} is cut at the side"
        assert whole.y0 - LOOSE <= box.y0 <= box.y1 <= whole.y1 + LOOSE, f"{told!r} is cut above or below"
    for (one, a), (other, b) in combinations(zip(found, boxes, strict=True), 2):
        over = f"{one.get_text()!r} lies over {other.get_text()!r}"
        if one.get_rotation() % 90 and one.get_rotation() == other.get_rotation():
            apart = math.hypot(a.x1 - b.x1, a.y1 - b.y1) * math.sin(math.radians(one.get_rotation()))
            assert apart >= one.get_fontsize() * figure.dpi / 72 * 0.9, over
        else:
            wide = min(a.x1, b.x1) - max(a.x0, b.x0)
            high = min(a.y1, b.y1) - max(a.y0, b.y0)
            assert wide <= LOOSE or high <= LOOSE, over
    for panel in figure.axes:
        drawn = [line for line in panel.lines if len(list(line.get_xdata()))]  # pyright: ignore
        assert drawn or panel.collections or panel.patches or panel.texts, "a panel is empty"
    assert figure.get_suptitle().strip(), "the picture has no title"
