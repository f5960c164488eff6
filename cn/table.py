"""Tables and pages that fit the terminal: words are never broken, and output to a file or pipe is not folded."""

from __future__ import annotations

import re

from cn.screen import one_line, width

NARROW = 24  # columns; the minimum for folded text beside other text


def table(header: list[str], rows: list[list[str]]) -> str:
    """Format columns separated by two spaces.

    If the table is too wide, its last column is folded at spaces. If that is not enough, the last columns of each row
    are
    printed below the row, each with its name.
    """
    cells = [[one_line(cell) for cell in line] for line in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    room, count = width(), len(header)
    beside = count
    if room is not None:
        fitting = (n for n in range(count, 0, -1) if sum(widths[:n]) + 2 * (n - 1) <= room)
        beside = next(fitting, 1)
        left = room - sum(widths[:-1]) - 2 * (count - 1)
        if beside == count - 1 and left >= max(NARROW, *(len(word) for line in cells for word in line[-1].split(" "))):
            beside, widths[-1] = count, left
    head, *body = cells
    lines = [_line(head[:beside], widths), _line(["-" * each for each in widths[:beside]], widths)]
    for line in body:
        lines.append(_line(line[:beside], widths))
        for name, cell in zip(head[beside:], line[beside:], strict=True):
            if cell:
                lines += _wrapped(f"  {name}: {cell}", room or 0, hang=4)
    return "\n".join(lines)


def number(value: float) -> str:
    """Return a number with four decimals; with three significant digits if it is very small or large."""
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e6 else f"{value:.3g}"


def fold(page: str) -> str:
    """Fold the lines of a page: a folded last column keeps its indentation, or moves below the other columns."""
    room = width()
    return page if room is None else "\n".join(part for line in page.split("\n") for part in _folded(line, room))


def _folded(line: str, room: int) -> list[str]:
    if len(line) <= room:
        return [line]
    below = len(line) - len(line.lstrip()) + 4
    column = max((gap.end() for gap in re.finditer(r"(?<=\S) {2,}", line)), default=0)
    if room - column >= NARROW:
        return _wrapped(line, room, hang=column or below)
    return [
        *_wrapped(line[:column].rstrip(), room, hang=below),
        *_wrapped(" " * below + line[column:], room, hang=below),
    ]


def _line(cells: list[str], widths: list[int]) -> str:
    """Format one row; the last cell is wrapped to the width of its column."""
    start = sum(widths[: len(cells) - 1]) + 2 * (len(cells) - 1)
    *rest, last = cells
    first, *more = _wrapped(last, widths[len(cells) - 1]) if len(last) > widths[len(cells) - 1] else [last]
    line = "  ".join([*(f"{cell:{width}}" for cell, width in zip(rest, widths, strict=False)), first]).rstrip()
    return "\n".join([line, *(" " * start + each for each in more)])


def _wrapped(text: str, room: int, *, hang: int = 0) -> list[str]:
    import textwrap  # only here, since most tables fit

    return textwrap.wrap(
        text, room, subsequent_indent=" " * hang, break_long_words=False, break_on_hyphens=False, expand_tabs=False
    )
