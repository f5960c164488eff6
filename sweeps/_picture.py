"""A picture of a sweep: how the goal went in each trial, and what it came to over each axis."""

from __future__ import annotations

import json
import math
import os
import statistics
import textwrap
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cn import RunError
from cn.errors import short
from runs._state_files import content, replace
from runs.logger._writer import records
from sweeps._goal import Goal
from sweeps._results import Outcome, Row
from sweeps._store import Trial
from sweeps._table import assigned, brief, decimals_of, measured, varied

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CURVES, POINTS = 200, 1000  # drawn at most, and of each curve
PANELS, CATEGORIES = 12, 12  # drawn at most, and of each axis
WIDE = 25  # greatest over least from which a scale may be logarithmic
BEST, OTHERS, MEAN = "#d1495b", "#5b86b0", "#1b2a41"
GOLDEN = 0.618034  # its multiples lie evenly within [0, 1), however many there are

Curve = list[tuple[float, float]]  # step, value


class Point(NamedTuple):
    """A trial over an axis."""

    text: str  # what the key is given
    value: float  # the goal
    best: bool  # whether it is one of the best setting


def picture(
    outcomes: list[Outcome],
    rows: list[Row],
    goal: Goal,
    folder_of: Callable[[Trial], Path],
    path: Path,
    damaged: list[str] | None = None,
) -> Path:
    """Write the PNG, whole or not at all. damaged: takes what is said of each file that cannot be read."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        FigureCanvasAgg(draw(outcomes, rows, goal, folder_of, damaged)).print_png(str(partial))
        replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def draw(
    outcomes: list[Outcome],
    rows: list[Row],
    goal: Goal,
    folder_of: Callable[[Trial], Path],
    damaged: list[str] | None = None,
) -> Figure:
    """At the left the goal over the steps, then a panel for each axis; the best setting is red in all."""
    from matplotlib.figure import Figure

    order = {each.trial.id: each for row in rows for each, _ in row.values}  # those without a value come last
    order |= {each.trial.id: each for each in outcomes if each.trial.id not in order}
    paths = ((each, folder_of(each.trial) / "metrics.jsonl") for each in order.values())
    files = [(each, file) for each, file in paths if os.path.lexists(file)]
    few = files if len(files) <= CURVES else [files[i * (len(files) - 1) // (CURVES - 1)] for i in range(CURVES)]
    curves = [(each, curve) for each, file in few if (curve := _curve(file, goal.metric, damaged))]
    names = varied([row for row in rows if row.values])
    points = _points(outcomes, rows, names[:PANELS])
    panels = min(len(names), PANELS)
    lines = panels if panels <= 3 else 2 if panels <= 6 else 3
    columns = math.ceil(panels / lines) if panels else 0
    left = [1.4 if columns == 1 else 1.8] if curves or not panels else []
    widths = [*left, *[1.0] * columns]
    figure = Figure(figsize=(max(7.0, 3.4 * sum(widths)), max(4.2, 2.5 * lines + 0.4)), layout="constrained", dpi=150)
    figure.suptitle(_title(rows, goal, names), fontsize="medium")
    grid = figure.add_gridspec(max(lines, 1), len(widths), width_ratios=widths)
    if left:
        panel = figure.add_subplot(grid[:, 0])
        _draw_curves(panel, curves, _seeds(rows), goal)
        if len(files) > CURVES:
            panel.set_title(f"{CURVES} of {len(files)} trials, from the best to the worst", fontsize="small")
    first: Axes | None = None
    for place, name in enumerate(names[:panels]):
        panel = figure.add_subplot(grid[place // columns, place % columns + len(left)], sharey=first)
        _draw_axis(panel, name, points[name], goal)
        panel.set_ylabel(_plain(goal.metric, 40) if place % columns == 0 else "")
        panel.tick_params(labelleft=place % columns == 0)
        panel.grid(alpha=0.3)
        first = first or panel
    return figure


def _title(rows: list[Row], goal: Goal, names: list[str]) -> str:
    """The value of the best setting over its seeds, and the words that it took."""
    more = f"{PANELS} of {len(names)} axes are drawn" if len(names) > PANELS else ""
    if not rows or not rows[0].values:
        return "\n".join(filter(None, [f"{_plain(goal.metric)}: no trial has a value yet", more]))
    row = rows[0]
    given = assigned(row.values[0][0].trial.words)
    keys = [*names, "seed"] if row.expected == 1 else names
    words = " ".join(_plain(f"{name}={brief(given[name])}") for name in keys if name in given)
    best = f"best {_plain(goal.metric)}: {measured(row, decimals_of(rows))}"
    wrapped = textwrap.wrap(words, 100, max_lines=2, placeholder=" ...")
    return "\n".join([best, *wrapped, *filter(None, [more])])


def _curve(file: Path, metric: str, damaged: list[str] | None) -> Curve:
    """The metric over the steps; the last line of a metrics.jsonl may be cut short. Empty where it is damaged."""
    key = json.dumps(metric).encode() + b":"
    try:
        written = [line for line in (content(file) or b"").split(b"\n")[:-1] if key in line]
        found = records(written[:: -math.ceil(len(written) / POINTS) or -1][::-1], file)
    except RunError as error:
        if damaged is not None:
            damaged.append(str(error).partition("\n")[0])
        return []
    return [(each["step"], each[metric]) for each in found if math.isfinite(each.get(metric, math.nan))]


def _points(outcomes: list[Outcome], rows: list[Row], names: list[str]) -> dict[str, list[Point]]:
    """Of the trials with a value, in their order, at each key that they are given."""
    values = {each.trial.id: value for row in rows for each, value in row.values}
    best = _seeds(rows)
    points: dict[str, list[Point]] = {name: [] for name in names}
    for each in outcomes:
        if each.trial.id in values:
            given = assigned(each.trial.words)
            for name in points.keys() & given.keys():
                points[name].append(Point(given[name], values[each.trial.id], each.trial.id in best))
    return points


def _seeds(rows: list[Row]) -> set[str]:
    """The ids of the trials of the best setting."""
    return {each.trial.id for each, _ in rows[0].values} if rows else set()


def _draw_curves(panel: Axes, curves: list[tuple[Outcome, Curve]], best: set[str], goal: Goal) -> None:
    """`best`: the ids of the trials of the best setting."""
    from matplotlib.collections import LineCollection

    others = [curve for each, curve in curves if each.trial.id not in best]
    seeds = [curve for each, curve in curves if each.trial.id in best]
    faint = min(0.8, max(0.3, 15 / (len(others) or 1)))
    kinds = (
        (others, "other trials" if best else "trials", OTHERS, 0.9, faint, 1),
        (seeds, "best" if len(seeds) == 1 else f"best, {len(seeds)} seeds", BEST, 1.8, 1.0, 2),
    )
    for these, label, color, width, alpha, above in reversed(kinds):
        if these:
            lines = LineCollection(these, color=color, linewidth=width, alpha=alpha, zorder=above, label=label)
            panel.add_collection(lines)
            dots = [point for curve in these if len(curve) < 3 for point in curve]
            panel.plot(*_across(dots), ".", color=color, alpha=alpha, zorder=above)
    if curves:
        panel.autoscale_view()
        if goal.direction == "minimize" and _wide(value for _, curve in curves for _, value in curve):
            panel.set_yscale("log", subs=[])
    if len(curves) > 1:
        panel.legend(loc="lower right" if goal.direction == "maximize" else "upper right", fontsize="small")
    if not curves:
        panel.text(0.5, 0.5, "no curve of it yet", transform=panel.transAxes, ha="center", color="gray")
        panel.set(xticks=[], yticks=[])
    panel.set_xlabel("step")
    panel.set_ylabel(_plain(goal.metric, 40))
    panel.grid(alpha=0.3)


def _draw_axis(panel: Axes, name: str, points: list[Point], goal: Goal) -> None:
    """A dot for each trial, a dash at the mean of each value where few, a star at the best setting."""
    numbers = {each.text: _number(each.text) for each in points}
    at = {text: number for text, number in numbers.items() if number is not None}
    label = _plain(name, 40)
    if len(at) == len(numbers):
        spread = 0.0
        panel.margins(x=0.08)
        _number_ticks(panel, at)
    else:
        spread = 0.3
        shown = _categories(points, goal)
        label += f" ({len(shown)} best of {len(numbers)})" if len(shown) < len(numbers) else ""
        at = {text: float(place) for place, text in enumerate(shown)}
        panel.set_xticks(list(at.values()), texts := [_plain(brief(text), 16) for text in shown])
        if sum(map(len, texts)) > 30:
            panel.tick_params(axis="x", labelrotation=30)
            for each in panel.get_xticklabels():
                each.set(ha="right", rotation_mode="anchor")
        panel.set_xlim(-0.6, len(shown) - 0.4)
    points = [each for each in points if each.text in at]
    x = [at[each.text] + spread * (place * GOLDEN % 1 - 0.5) for place, each in enumerate(points)]
    y = [each.value for each in points]
    panel.plot(x, y, "o", color=OTHERS, markersize=4.5, alpha=min(0.8, max(0.25, 60 / len(x))), markeredgewidth=0)
    groups: dict[float, list[float]] = {}
    for each in points:
        groups.setdefault(at[each.text], []).append(each.value)
    means = [(place, statistics.fmean(group)) for place, group in groups.items() if len(group) > 1]
    means = means if len(groups) <= CATEGORIES else []
    panel.plot(*_across(means), "_", color=MEAN, markersize=16, markeredgewidth=2)
    if best := [each for each in points if each.best]:
        mean = statistics.fmean(each.value for each in best)
        panel.plot(at[best[0].text], mean, "*", color=BEST, markersize=11, markeredgecolor="white", zorder=5)
    if goal.direction == "minimize" and _wide(y):
        panel.set_yscale("log", subs=[])
    panel.set_xlabel(label)


def _number_ticks(panel: Axes, at: dict[str, float]) -> None:
    """A tick at each value, where there is room for all of them."""
    least, most = min(at.values()), max(at.values())
    log = _wide(at.values())
    if log:
        panel.set_xscale("log", subs=[])
    labels = dict(sorted((number, brief(text)) for text, number in at.items()))
    length = math.log(most / least) if log else most - least
    gaps = [(math.log(b / a) if log else b - a) / length for a, b in pairwise(labels)]
    room = [0.03 + 0.018 * (len(a) + len(b)) for a, b in pairwise(labels.values())]  # of the panel's width
    if all(gap > needed for gap, needed in zip(gaps, room, strict=True)):
        panel.set_xticks(list(labels), list(labels.values()))


def _categories(points: list[Point], goal: Goal) -> list[str]:
    """In the order of the trials, and those with the best means where they are too many."""
    groups: dict[str, list[float]] = {}
    for each in points:
        groups.setdefault(each.text, []).append(each.value)
    kept = sorted(groups, key=lambda text: goal.order(statistics.fmean(groups[text])))[:CATEGORIES]
    return [text for text in groups if text in kept]


def _across(pairs: Curve) -> tuple[list[float], list[float]]:
    return [x for x, _ in pairs], [y for _, y in pairs]


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _wide(values: Iterable[float]) -> bool:
    """Whether they span orders of magnitude, and not only because a few are small."""
    values = sorted(set(values))
    least, middle, most = values[0], statistics.median_low(values), values[-1]
    return least > 0 and most >= WIDE * least and middle - least <= (most - least) / 4


def _plain(text: str, width: int = 60) -> str:
    """Text as it can be drawn: on one line, not as a formula, and with the letters that the font has."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    letters = get_font(findfont(FontProperties())).get_charmap()
    text = short(text)
    text = text if len(text) <= width else f"{text[: width // 2 - 2]}...{text[1 - width // 2 :]}"
    known = (each if ord(each) in letters else each.encode("ascii", "backslashreplace").decode() for each in text)
    return "".join(known).replace("$", r"\$")
