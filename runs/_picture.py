"""Several runs in one picture: a panel for the curves of each metric and one for the tests, a colour for each run."""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cn import RunError, UserError
from cn.errors import short
from cn.files import replacing
from cn.paths import without_ending
from cn.run_folder.differences import ABSENT, differences, text, values
from cn.run_folder.folders import names
from cn.run_folder.metrics import Record, read
from cn.run_folder.progress import goal, summary
from cn.run_folder.shown import drawable, log_scale, number, whole_ticks
from cn.writing.record import FILE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOSSES = ("train/loss", "validation/loss")
PANELS, LABELS = 9, 20  # maximum: drawn panels, and legend entries
LETTERS = 16  # of the legend, per inch
NUMBERS = 12  # maximum of tests whose numbers are written
COLORS = ("#1b6ca8", "#d1495b", "#2a9d5c", "#e09f3e", "#7b4fa3", "#17a2b8", "#8a5a44", "#e377c2", "#6b7280", "#1b2a41")


def plot(folders: list[Path], path: Path) -> Path:
    """Write the picture atomically, in the format of the file's suffix."""
    figure = draw(folders)
    formats = figure.canvas.get_supported_filetypes()
    ending = path.suffix.removeprefix(".").lower()
    if ending not in formats:
        raise without_ending(path, "no picture can be", ".png", formats)
    if path.name == "curves.png" and (path.parent / FILE).exists():
        raise UserError(f"-o {short(str(path))} is a file of the run's own", "write: -o FILE")
    if path.exists() and not path.is_file():
        raise UserError(f"-o {short(str(path))} is no regular file", "write: -o FILE")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, synced=False) as beside:
            figure.savefig(beside, format=ending)
    except OSError as error:
        what = f"cannot write {short(str(path))}: {error.strerror or error}"
        raise RunError(what, "to put it elsewhere: -o FILE") from None
    return path


def draw(folders: list[Path]) -> Figure:
    """Return the figure of the losses, the goals and the shared metrics; UserError if there are none."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    curves = [read(folder / "metrics.jsonl") for folder in folders]
    said = [summary(folder) for folder in folders]
    panels = _metrics(curves, [goal(each).name for each in said])
    tests = Tests.of(said)
    if not panels:
        which = short(", ".join(map(str, folders)))
        raise UserError(f"there is nothing to draw: no metric was written yet in {which}", "see: python -m runs")
    aside = tests if len(folders) > 1 else None
    panels = panels[: PANELS - 1] if aside is not None else panels
    places = len(panels) + (aside is not None)
    columns = places if places <= 3 else 2 if places == 4 else 3
    rows = math.ceil(places / columns)
    count, width = len(folders), 4.4 * columns
    letters = int(LETTERS * width) - 36  # without the score and the line before it
    labels = _labels(folders, letters)
    title = _title(count, tests, labels, int(width * 8))
    labels = labels if count <= LABELS else [*labels[: LABELS - 1], f"... and {count - LABELS + 1} more"]
    beside = max(1, min(columns, letters // max(map(len, labels))))
    colors: list[Any] = list(COLORS) if count <= len(COLORS) else [colormaps["turbo"](i / count) for i in range(count)]
    height = 2.9 * rows + 0.2 * math.ceil(len(labels) / beside) + 0.6
    figure = Figure(figsize=(width, height), layout="constrained", dpi=150)
    figure.suptitle(title, fontsize="large")
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel, metric in zip(grid, panels, strict=False):
        for records, color, each in zip(curves, colors, said, strict=False):
            _draw(panel, records, metric, color, each.get("best/step"))
        _finish(panel, metric)
    if aside is not None:
        aside.draw(grid[len(panels)], colors)
    for panel in grid[places:]:
        panel.remove()
    handles = [Line2D([], [], color=color, linewidth=2.5) for color in colors[: len(labels)]]
    if count > LABELS:
        handles[-1].set_alpha(0)
    figure.legend(handles, labels, loc="outside lower left", ncols=beside, fontsize="small", frameon=False)
    return figure


def _metrics(curves: list[list[Record]], goals: list[str]) -> list[str]:
    """Return the metrics to draw: losses and goals first, then those that at least two runs share."""
    first = dict.fromkeys((*LOSSES, *goals))
    counts: dict[str, int] = {}
    for records in curves:
        measured = {name for record in records for name, value in record.items() if math.isfinite(value)}
        for name in measured - {"step", "epoch"}:
            counts[name] = counts.get(name, 0) + 1
    shared = sorted(name for name, count in counts.items() if count >= min(2, len(curves)) and name not in first)
    return [*(name for name in first if name in counts), *shared][:PANELS]


class Tests(NamedTuple):
    """The results of the test that most of the runs have."""

    name: str  # of the metric
    values: list[float | None]  # one per run
    best: int  # the run's place

    @classmethod
    def of(cls, said: list[dict[str, Any]]) -> Tests | None:
        """Return the tests in summaries; None if there are none."""
        goals = [goal(each) for each in said]
        found = Counter(each.test for each, of in zip(goals, said, strict=True) if _finite(of.get(each.test)))
        if not found:
            return None
        ((name, _),) = found.most_common(1)
        values = [each[name] if _finite(each.get(name)) else None for each in said]
        less = next(each.less for each in goals if each.test == name)
        known = {place: -value if less else value for place, value in enumerate(values) if value is not None}
        return cls(name, values, max(known, key=known.__getitem__))

    def draw(self, panel: Axes, colors: list[Any]) -> None:
        """Draw a dot for each run, from the top in the order of the runs, with its number; a star is the best."""
        few = len(self.values) <= NUMBERS
        for place, (value, color) in enumerate(zip(self.values, colors, strict=False)):
            if value is None:
                continue
            best = place == self.best
            panel.plot(value, place, "*" if best else "o", color=color, markersize=13 if best else 7)
            if few:
                at, written = (value, place), number(value)
                panel.annotate(written, at, (9, 0), textcoords="offset points", va="center", fontsize="medium")
        panel.set_title(drawable(self.name), fontsize="medium")
        panel.set_xlabel("of each run, in the order below")
        panel.set_yticks([])
        panel.set_ylim(len(self.values) - 0.5, -0.5)
        panel.locator_params(axis="x", nbins=5)
        left, right = panel.get_xlim()
        panel.set_xlim(left, right + (0.3 * (right - left) if few else 0))  # room for the numbers
        panel.grid(alpha=0.3, axis="x")
        panel.spines[["top", "right", "left"]].set_visible(False)


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _title(count: int, tests: Tests | None, labels: list[str], letters: int) -> str:
    """Return the title: how many runs there are, and the best of their tests with the label of its run."""
    runs = "one run" if count == 1 else f"{count} runs"
    if tests is None:
        return f"{runs}, none of them tested yet" if count > 1 else f"{runs}, not tested yet"
    name, value = drawable(tests.name.replace("/", " ")), number(tests.values[tests.best] or 0)
    best = f"{'best ' if count > 1 else ''}{name} {value}"
    whose = labels[tests.best].partition("   (")[0]
    wrapped = textwrap.wrap(whose, letters, max_lines=2, placeholder=" ...")
    return "\n".join([f"{runs}: {best}", *wrapped])


def _draw(panel: Axes, records: list[Record], metric: str, color: Any, best: int | None) -> None:
    points = [(each["step"], each[metric]) for each in records if metric in each and math.isfinite(each[metric])]
    if points:
        few = len(points) < 30
        panel.plot(*zip(*points, strict=True), color=color, linewidth=1.4, marker="." if few else "", markersize=5)
    tested = [point for point in points if point[0] == best and not metric.startswith("train/")]
    for step, value in tested[-1:]:
        panel.scatter(step, value, s=110, marker="*", color=color, edgecolors="white", zorder=3)


def _finish(panel: Axes, metric: str) -> None:
    curves = [[float(value) for value in line.get_ydata()] for line in panel.lines]  # pyright: ignore
    values = [value for curve in curves for value in curve]
    if metric.endswith("loss") and min(values) > 0 and max(values) > 10 * min(values):
        log_scale(panel)
    elif not metric.endswith("loss"):  # show the range in which runs differ: the values after a quarter of the steps
        late = [value for curve in curves for value in curve[len(curve) // 4 :]]
        rising = late[-1] >= values[0]
        least, most = (min(late), max(values)) if rising else (min(values), max(late))
        margin = 0.05 * (most - least) or 0.01
        panel.set_ylim(least - margin, most + margin)
    panel.set_title(drawable(metric, 40), fontsize="medium")
    panel.set_xlabel("step (star: the tested one)" if panel.collections else "step")
    whole_ticks(panel.xaxis)
    panel.grid(alpha=0.3)
    panel.spines[["top", "right"]].set_visible(False)


def _labels(folders: list[Path], letters: int) -> list[str]:
    """Return a label per run: the fields that differ, most distinctive first; else its folder."""
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
    return [drawable(label, 10 * letters) for label in labels]


def _score(folder: Path) -> str:
    said = summary(folder)
    test = goal(said).test
    return f"   ({test} {number(said[test])})" if test in said else ""


def _parent(key: str) -> str:
    return key.rpartition(".")[0]


def _brief(value: Any) -> str:
    """Return a short text of a value; of a class, only its name."""
    return text(value).rpartition(":")[2]
