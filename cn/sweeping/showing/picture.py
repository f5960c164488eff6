"""The picture of a sweep: curves of the goal for each trial, and its final value over each axis."""

from __future__ import annotations

import json
import math
import os
import statistics
import textwrap
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cn.errors import RunError
from cn.files import replacing
from cn.run_folder.metrics import records
from cn.run_folder.shown import drawable, whole_ticks
from cn.run_folder.state_files import content, make_way
from cn.sweeping.folder.store import Trial
from cn.sweeping.goal import Goal
from cn.sweeping.showing.axis_panel import BEST, MEAN, NONE, OTHERS, across, draw_axis, over, points_of, seeds, wide
from cn.sweeping.showing.result_table import assigned, brief, decimals_of, measured, shown, varied
from cn.sweeping.showing.scores import Outcome, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CURVES, POINTS, PANELS = 200, 1000, 12  # maximum of drawn curves, of points per curve, and of panels for axes
WORDS = 95  # letters per line of the title, in a picture of 10 inches

Curve = list[tuple[float, float]]  # step, value


def picture(
    outcomes: list[Outcome],
    rows: list[Row],
    goal: Goal,
    folder_of: Callable[[Trial], Path],
    path: Path,
    damaged: list[str] | None = None,
    name: str = "",
) -> Path:
    """Write the PNG atomically. damaged: receives a message for each unreadable file; name: of the sweep."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, synced=False) as beside:
        FigureCanvasAgg(draw(outcomes, rows, goal, folder_of, damaged, name)).print_png(str(beside))
        make_way(path)
    return path


def draw(
    outcomes: list[Outcome],
    rows: list[Row],
    goal: Goal,
    folder_of: Callable[[Trial], Path],
    damaged: list[str] | None = None,
    name: str = "",
) -> Figure:
    """Draw the goal over the steps on the left, then a panel per axis; the best setting is red in all."""
    from matplotlib.figure import Figure

    order = {each.trial.id: each for row in rows for each, _ in row.values}  # trials without a value come last
    order |= {each.trial.id: each for each in outcomes if each.trial.id not in order}
    paths = ((each, folder_of(each.trial) / "metrics.jsonl") for each in order.values())
    files = [(each, file) for each, file in paths if os.path.lexists(file)]
    few = files if len(files) <= CURVES else [files[i * (len(files) - 1) // (CURVES - 1)] for i in range(CURVES)]
    curves = [(each, curve) for each, file in few if (curve := _curve(file, goal.metric, damaged))]
    ended = [row for row in rows if row.values or any(over(each) for each, _ in row.missing)]
    names = varied(ended) if rows and rows[0].values else []
    points = points_of(outcomes, rows, names[:PANELS])
    panels = min(len(names), PANELS)
    lines = panels if panels <= 3 else 2 if panels <= 6 else 3
    columns = math.ceil(panels / lines) if panels else 0
    left = [1.4 if columns == 1 else 1.8] if curves or not panels else []
    widths = [*left, *[1.0] * columns]
    width = max(7.0, 3.4 * sum(widths))
    figure = Figure(figsize=(width, max(4.4, 2.5 * lines + 0.6)), layout="constrained", dpi=150)
    figure.suptitle(_title(name, rows, goal, names, int(WORDS * width / 10)), fontsize="large")
    grid = figure.add_gridspec(max(lines, 1), len(widths), width_ratios=widths)
    if left:
        panel = figure.add_subplot(grid[:, 0])
        _draw_curves(panel, curves, seeds(rows), goal)
        if len(files) > CURVES:
            panel.set_title(f"{CURVES} of {len(files)} trials, from the best to the worst", fontsize="small")
    first: Axes | None = None
    for place, axis in enumerate(names[:panels]):
        panel = figure.add_subplot(grid[place // columns, place % columns + len(left)], sharey=first)
        draw_axis(panel, axis, points[axis], goal)
        panel.set_ylabel(drawable(goal.metric, 40) if place % columns == 0 else "")
        panel.tick_params(labelleft=place % columns == 0)
        panel.grid(alpha=0.3)
        first = first or panel
    if len(curves) > 1 or panels:
        _explain(figure, len(seeds(rows)))
    return figure


def _title(name: str, rows: list[Row], goal: Goal, names: list[str], letters: int) -> str:
    """Return the title: the best setting's value over its seeds, its test, its overrides, and what is not drawn."""
    of = f"{drawable(name)}: " if name else ""
    none = Counter(why for row in rows for each, why in row.missing if over(each) and why != "other code")
    trials = sum(row.expected for row in rows)
    lost = f"no value: {', '.join(f'{count} {why}' for why, count in none.items())}, of {trials} trials"
    more = f"{PANELS} of {len(names)} axes are drawn" if len(names) > PANELS else ""
    beyond = sum(bool(row.values) and not row.within for row in rows)
    limits = " and ".join(each.described() for each in goal.limits())
    far = f"{beyond} of {len(rows)} settings are beyond a limit: {drawable(limits)}" if beyond else ""
    notes = [each for each in (lost if none else "", more, far) if each]
    if not rows or not rows[0].values:
        return "\n".join([f"{of}{drawable(goal.metric)}: no trial has a value yet", *notes])
    row = rows[0]
    if not row.within:
        return "\n".join([f"{of}{drawable(goal.metric)}: no setting is within the limits", *notes])
    given = assigned(row.values[0][0].trial.words)
    keys = [*(names or [key for key in given if key != "seed"]), *(["seed"] if row.expected == 1 else [])]
    words = " ".join(drawable(f"{key}={brief(given[key])}") for key in keys if key in given)
    best = f"{of}best {drawable(goal.metric)}: {measured(row, decimals_of(rows))}"
    test = _test(row, goal, decimals_of(rows))
    both = [f"{best}, {test}"] if test and len(best) + len(test) + 2 <= letters else [best, *([test] if test else [])]
    given_on = textwrap.wrap(words, letters, max_lines=2, placeholder=" ...")
    return "\n".join([*(line for each in both for line in textwrap.wrap(each, letters)), *given_on, *notes])


def _test(row: Row, goal: Goal, decimals: int) -> str:
    """Return the test result of the best setting, the mean over its seeds; nothing if not all of them have one."""
    key = goal.metric.replace("validation/", "test/", 1)
    values = [each.summary.get(key) for each, _ in row.values]
    found = [value for value in values if isinstance(value, (int, float)) and math.isfinite(value)]
    if key == goal.metric or len(found) < len(values):
        return ""
    return f"{drawable(key.replace('/', ' '))}: {shown(statistics.fmean(found), decimals)}"


def _explain(figure: Figure, best: int) -> None:
    """Add a legend of the marks that the panels have."""
    from matplotlib.lines import Line2D

    lines = [line for panel in figure.axes for line in panel.lines if len(list(line.get_xdata()))]  # pyright: ignore
    marks = {str(line.get_marker()) for line in lines}
    curves = {str(each.get_label()) for panel in figure.axes for each in panel.collections}
    others = [label for label in ("other trials", "trials") if label in curves] or ["other trials"]
    red = {"marker": "*", "markersize": 12, "markeredgecolor": "white"} if "*" in marks else {}
    shapes: list[tuple[bool, str, dict[str, Any]]] = [
        (best > 0, "best" if best == 1 else f"best, {best} seeds", {"color": BEST, "linewidth": 1.8, **red}),
        (bool(curves & {*others}) or "o" in marks, others[0], {"color": OTHERS, "marker": "o" if "o" in marks else ""}),
        ("_" in marks, "mean", {"color": MEAN, "linewidth": 2.5}),
        ("x" in marks, "no value", {"color": NONE, "linewidth": 0, "marker": "x"}),
    ]
    handles = [Line2D([], [], label=label, **style) for there, label, style in shapes if there]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize="medium", frameon=False)


def _curve(file: Path, metric: str, damaged: list[str] | None) -> Curve:
    """Return the metric over the steps, ignoring an incomplete last line; [] if the file is damaged."""
    key = json.dumps(metric).encode() + b":"
    try:
        written = [line for line in (content(file) or b"").split(b"\n")[:-1] if key in line]
        found = records(written[:: -math.ceil(len(written) / POINTS) or -1][::-1], file)
    except RunError as error:
        if damaged is not None:
            damaged.append(str(error).partition("\n")[0])
        return []
    return [(each["step"], each[metric]) for each in found if math.isfinite(each.get(metric, math.nan))]


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
            panel.plot(*across(dots), ".", color=color, alpha=alpha, zorder=above)
    for each, curve in curves:
        at = [point for point in curve if each.trial.id in best and point[0] == each.summary.get("best/step")]
        panel.plot(*across(at), "*", color=BEST, markersize=12, markeredgecolor="white", zorder=3)
    if curves:
        panel.autoscale_view()
        whole_ticks(panel.xaxis)
        if goal.direction == "minimize" and wide(value for _, curve in curves for _, value in curve):
            panel.set_yscale("log", subs=[])
    if not curves:
        panel.text(0.5, 0.5, "no curve of it yet", transform=panel.transAxes, ha="center", color="gray")
        panel.set(xticks=[], yticks=[])
    panel.set_xlabel("step")
    panel.set_ylabel(drawable(goal.metric, 40))
    panel.grid(alpha=0.3)
