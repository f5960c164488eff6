"""The curves of several runs in one picture: a panel for each metric, a colour for each run."""

from __future__ import annotations

import math
import os
import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cn import RunError, UserError
from cn.errors import hint, lines, short
from runs._differences import ABSENT, differences, text, values
from runs._folders import names
from runs._progress import goal, summary
from runs._shown import number
from runs.logger._writer import Record, read

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOSSES = ("train/loss", "validation/loss")
PANELS, LABELS = 9, 20  # at most: drawn, and in the legend
LETTERS = 16  # of the legend, an inch
COLORS = ("#1b6ca8", "#d1495b", "#2a9d5c", "#e09f3e", "#7b4fa3", "#17a2b8", "#8a5a44", "#e377c2", "#6b7280", "#1b2a41")


def plot(folders: list[Path], path: Path) -> Path:
    """Write the picture, whole or not at all, in the format that the file's name ends with."""
    figure = draw(folders)
    formats = figure.canvas.get_supported_filetypes()
    ending = path.suffix.removeprefix(".").lower()
    if ending not in formats:
        what = f"{short(str(path))}: no picture can be written as {path.suffix or 'a file without an ending'}"
        raise UserError(lines(what, hint(ending, formats), f"write: -o {shlex.quote(str(path.with_suffix('.png')))}"))
    if path.exists() and not path.is_file():
        raise UserError(lines(f"-o {short(str(path))} is no regular file", "write: -o FILE"))
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            figure.savefig(partial, format=ending)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        what = f"cannot write {short(str(path))}: {error.strerror or error}"
        raise RunError(lines(what, "to put it elsewhere: -o FILE")) from None
    return path


def draw(folders: list[Path]) -> Figure:
    """The losses, the goal, and whatever else two of the runs have measured; UserError where there is nothing."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    curves = [read(folder / "metrics.jsonl") for folder in folders]
    panels = _metrics(curves, [goal(summary(folder)).metric for folder in folders])
    if not panels:
        which = short(", ".join(map(str, folders)))
        raise UserError(lines(f"there is nothing to draw: no metric was written yet in {which}", "see: python -m runs"))
    columns = min(3, len(panels))
    rows = math.ceil(len(panels) / columns)
    count, width = len(folders), 4.4 * columns
    letters = int(LETTERS * width) - 36  # less the score and the line before it
    labels = _labels(folders, letters)
    labels = labels if count <= LABELS else [*labels[: LABELS - 1], f"... and {count - LABELS + 1} more"]
    beside = max(1, min(columns, letters // max(map(len, labels))))
    colors: list[Any] = list(COLORS) if count <= len(COLORS) else [colormaps["turbo"](i / count) for i in range(count)]
    height = 2.9 * rows + 0.2 * math.ceil(len(labels) / beside) + 0.3
    figure = Figure(figsize=(width, height), layout="constrained", dpi=150)
    grid = figure.subplots(rows, columns, squeeze=False)
    for panel, metric in zip(grid.flat, panels, strict=False):
        for records, color in zip(curves, colors, strict=False):
            _draw(panel, records, metric, color)
        _finish(panel, metric)
    for panel in list(grid.flat)[len(panels) :]:
        panel.remove()
    handles = [Line2D([], [], color=color, linewidth=2.5) for color in colors[: len(labels)]]
    if count > LABELS:
        handles[-1].set_alpha(0)
    figure.legend(handles, labels, loc="outside lower left", ncols=beside, fontsize="small", frameon=False)
    return figure


def _metrics(curves: list[list[Record]], goals: list[str]) -> list[str]:
    """The losses and the goals are first, then what at least two share."""
    first = dict.fromkeys((*LOSSES, *goals))
    counts: dict[str, int] = {}
    for records in curves:
        measured = {name for record in records for name, value in record.items() if math.isfinite(value)}
        for name in measured - {"step", "epoch"}:
            counts[name] = counts.get(name, 0) + 1
    shared = sorted(name for name, count in counts.items() if count >= min(2, len(curves)) and name not in first)
    return [*(name for name in first if name in counts), *shared][:PANELS]


def _draw(panel: Axes, records: list[Record], metric: str, color: Any) -> None:
    points = [(each["step"], each[metric]) for each in records if metric in each and math.isfinite(each[metric])]
    if points:
        few = len(points) < 30
        panel.plot(*zip(*points, strict=True), color=color, linewidth=1.4, marker="." if few else "", markersize=5)


def _finish(panel: Axes, metric: str) -> None:
    curves = [[float(value) for value in line.get_ydata()] for line in panel.lines]  # pyright: ignore
    values = [value for curve in curves for value in curve]
    if metric.endswith("loss") and min(values) > 0 and max(values) > 10 * min(values):
        panel.set_yscale("log")
    elif not metric.endswith("loss"):  # where the runs differ: beyond what they had after a quarter of their length
        late = [value for curve in curves for value in curve[len(curve) // 4 :]]
        rising = late[-1] >= values[0]
        least, most = (min(late), max(values)) if rising else (min(values), max(late))
        margin = 0.05 * (most - least) or 0.01
        panel.set_ylim(least - margin, most + margin)
    panel.set_title(metric.replace("$", r"\$"), fontsize="medium")
    panel.set_xlabel("step")
    panel.grid(alpha=0.3)
    panel.spines[["top", "right"]].set_visible(False)


def _labels(folders: list[Path], letters: int) -> list[str]:
    """For each run what sets it apart from the others, what differs most first; else its folder."""
    found = differences([values(folder) for folder in folders])
    told = {key: row for key, row in found.items() if ABSENT not in row} or found
    told = dict(sorted(told.items(), key=lambda item: (-len(set(map(text, item[1]))), _parent(item[0]) in found)))
    labels: list[str] = []
    for place in range(len(folders)):
        given = {key: row[place] for key, row in told.items() if row[place] is not ABSENT}
        label = " ".join(f"{key}={_brief(value)}" for key, value in given.items())
        labels.append(label if len(label) <= letters else f"{label[: letters - 4]} ...")
    counts = Counter(labels)
    labels = [
        (label if label and counts[label] == 1 else name) + _score(folder)
        for label, (folder, name) in zip(labels, names(folders).items(), strict=True)
    ]
    return [label.replace("$", r"\$") for label in labels]


def _score(folder: Path) -> str:
    said = summary(folder)
    test = goal(said).test
    return f"   ({test} {number(said[test])})" if test in said else ""


def _parent(key: str) -> str:
    return key.rpartition(".")[0]


def _brief(value: Any) -> str:
    """A value in a label; of a class only its name."""
    return text(value).rpartition(":")[2]
