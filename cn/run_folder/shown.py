"""The format of numbers on the screen, and of texts in a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cn.errors import short
from cn.table import number as number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis


def listed(metrics: Mapping[str, float]) -> str:
    """Return metrics on one line: `loss 0.0805, accuracy 0.9778`."""
    return ", ".join(f"{name} {number(value)}" for name, value in metrics.items())


def drawable(text: str, width: int = 60) -> str:
    """Return a text for matplotlib: on one line, without formulas, and only with letters of the font."""
    from matplotlib import font_manager

    fonts: Any = font_manager  # untyped
    letters = fonts.get_font(fonts.findfont(fonts.FontProperties())).get_charmap()
    known = (
        each if ord(each) in letters else each.encode("ascii", "backslashreplace").decode() for each in short(text)
    )
    text = "".join(known)
    text = text if len(text) <= width else f"{text[: width // 2 - 2]}...{text[1 - width // 2 :]}"
    return text.replace("$", r"\$")


def whole_ticks(axis: Axis) -> None:
    """Put the ticks of an axis at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True, min_n_ticks=1))


def log_scale(axes: Axes) -> None:
    """Make the vertical axis logarithmic, with plain numbers; also between powers of ten, if there are few of these."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")  # pyright: ignore[reportUnknownMemberType]
    least, most = axes.get_ylim()

    def written(value: float, _: int) -> str:
        return f"{value:g}"

    plain = FuncFormatter(written)
    few = most < 300 * least
    axes.yaxis.set_major_formatter(plain)
    axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    axes.yaxis.set_minor_formatter(plain if few else NullFormatter())
