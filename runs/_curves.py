"""A picture of a run: its losses, and what else its validations measure, over the steps."""

from __future__ import annotations

from pathlib import Path

from runs.logger._writer import read

PANELS = 4  # at most


def draw(folder: Path) -> Path | None:
    """curves.png from metrics.jsonl; None where there is nothing to draw yet."""
    records = read(folder / "metrics.jsonl")
    if not records:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    named = dict.fromkeys(name for record in records for name in record if name.startswith("validation/"))
    others = [name for name in named if name != "validation/loss"][: PANELS - 1]
    panels = [("loss", ("train/loss", "validation/loss")), *((name.partition("/")[2], (name,)) for name in others)]
    figure = Figure(figsize=(4.5 * len(panels), 3.5), layout="constrained")
    row = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (part, names) in zip(row, panels, strict=True):
        for name in names:
            points = [(record["step"], record[name]) for record in records if name in record]
            if points:
                axes.plot(*zip(*points, strict=True), label=name.split("/")[0], marker="." if len(points) < 40 else "")
        axes.set(xlabel="step", ylabel=part)
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()
    if any(value > 0 for line in row[0].lines for value in line.get_ydata()):
        row[0].set_yscale("log")
    path = folder / "curves.png"
    FigureCanvasAgg(figure).print_png(str(path))
    return path
