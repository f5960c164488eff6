"""A row of the table, and the table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One figure."""

    what: str
    measured: str
    reach: str = ""  # nothing where the figure is only told
    ok: bool | None = None  # None: only told, or not measured


@dataclass(frozen=True)
class Setting:
    """How thoroughly to measure, and where to write."""

    rounds: int  # of processes in turn
    quick: bool  # fewer rounds, seeds and runs
    folder: Path  # empty, and of one benchmark


Benchmark = Callable[[Setting], Iterator[Row]]


def at_most(what: str, figure: float, most: float, unit: str = "x", note: str = "") -> Row:
    """A row for a figure that should be small."""
    shown = f"{figure:.2f}{unit}" if unit == "x" else f"{figure:.3g}{unit}"
    return Row(what, shown + (f" ({note})" if note else ""), f"<= {most:g}{unit}", figure <= most)


def at_least(what: str, figure: float, least: float, unit: str = " %", note: str = "") -> Row:
    """A row for a figure that should be large."""
    return Row(what, f"{figure:.2f}{unit}" + (f" ({note})" if note else ""), f">= {least:g}{unit}", figure >= least)


WIDTHS = (52, 44, 9)


def heading() -> str:
    titles = _columns(("what", "measured", "reach")) + "  ok"
    return f"{titles}\n{'-' * len(titles)}"


def show(row: Row) -> str:
    ok = {None: "", True: "yes", False: "NO"}[row.ok]
    return f"{_columns((row.what, row.measured, row.reach))}  {ok}".rstrip()


def _columns(cells: Iterable[str]) -> str:
    return "  ".join(f"{cell:{width}}" for cell, width in zip(cells, WIDTHS, strict=True))
