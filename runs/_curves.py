"""The picture of a run: losses and validation metrics over the steps."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cn.files import replacing
from cn.run_folder.metrics import Record, read
from cn.run_folder.progress import goal, summary
from cn.run_folder.shown import drawable, log_scale, number, whole_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = 4  # maximum
TITLE = 62  # letters per line of the command, for each column of panels
TRAIN, VALIDATION, BEST = "#5b86b0", "#1b2a41", "#d1495b"


def draw(folder: Path) -> Path | None:
    """Write curves.png; return None if there is nothing to draw."""
    figure = curves(folder)
    if figure is None:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    path = folder / "curves.png"
    with replacing(path, synced=False) as beside:
        FigureCanvasAgg(figure).print_png(str(beside))
    return path


def curves(folder: Path) -> Figure | None:
    """Return the figure of metrics.jsonl and summary.json: a panel for the losses, and one for each other metric."""
    records = read(folder / "metrics.jsonl")
    panels = _panels(records)
    if not panels:
        return None
    from matplotlib.figure import Figure

    columns = len(panels) if len(panels) < 4 else 2
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(max(6.0, 4.5 * columns), 3.3 * rows + 0.6), layout="constrained", dpi=150)
    said = summary(folder)
    figure.suptitle(_title(said, TITLE * columns), fontsize="medium")
    for axes, (part, names) in zip(figure.subplots(rows, columns, squeeze=False).flat, panels.items(), strict=True):
        _draw(axes, part, names, records, said.get("best/step"))
    return figure


def _panels(records: list[Record]) -> dict[str, list[str]]:
    """Return the metrics of each panel by its name: the losses and the validation metrics, else all metrics."""
    measured = {name for each in records for name, value in each.items() if math.isfinite(value)} - {"step", "epoch"}
    losses = [name for name in ("train/loss", "validation/loss") if name in measured]
    panels = {"loss": losses} if losses else {}
    named = dict.fromkeys(name for each in records for name in each if name in measured and name not in losses)
    panels |= {name.partition("/")[2]: [name] for name in named if name.startswith("validation/")}
    return dict(list((panels or {name: [name] for name in named}).items())[:PANELS])


def _draw(axes: Axes, part: str, names: list[str], records: list[Record], best: int | None) -> None:
    """Draw one panel, with a star at the validation of the tested checkpoint."""
    values: list[float] = []
    for name in names:
        points = [(each["step"], each[name]) for each in records if math.isfinite(each.get(name, math.nan))]
        values += [value for _, value in points]
        train = name.startswith("train/")
        axes.plot(
            *zip(*points, strict=True),
            color=TRAIN if train else VALIDATION,
            linewidth=1.2 if train else 1.6,
            marker="." if len(points) < 40 else "",
            label=name.partition("/")[0],
        )
        at_best = [value for step, value in points if step == best]
        if not train and at_best and best is not None:
            axes.axvline(best, color=BEST, linewidth=0.8, linestyle=":")
            axes.plot(best, at_best[-1], "*", color=BEST, markersize=12, markeredgecolor="white", label="best")
    if part == "loss" and min(values) > 0 and max(values) > 10 * min(values):
        log_scale(axes)
    axes.set_title(drawable(part), fontsize="medium")
    axes.set_xlabel("step")
    whole_ticks(axes.xaxis)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if len(axes.lines) > 1 or part == "loss":
        axes.legend(fontsize="small", frameon=False)


def _title(said: dict[str, Any], letters: int) -> str:
    """Return the title: the command, and the test result or the run's state."""
    words = textwrap.wrap(drawable(said.get("command", ""), 10 * letters), letters, max_lines=2, placeholder=" ...")
    test = goal(said).test
    if test not in said:
        state = said.get("state", "")
        step = f" at step {said['step']}" if "step" in said else ""
        return "\n".join([*words, *([f"{state}{step}"] if state else [])])
    of = f", of the best validation, at step {said['best/step']}" if "best/step" in said else ""
    return "\n".join([*words, f"{drawable(test.replace('/', ' '))} {number(said[test])}{of}"])
