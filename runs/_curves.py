"""A picture of a run: its losses, and its accuracy, over the steps."""

from __future__ import annotations

from pathlib import Path

from runs.logger._writer import read


def draw(folder: Path) -> Path | None:
    """curves.png from metrics.jsonl; None where there is nothing to draw yet."""
    records = read(folder / "metrics.jsonl")
    if not records:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, part, names in (
        (left, "loss", ("train/loss", "validation/loss")),
        (right, "accuracy", ("validation/accuracy",)),
    ):
        for name in names:
            points = [(record["step"], record[name]) for record in records if name in record]
            if points:
                axes.plot(*zip(*points, strict=True), label=name.split("/")[0], marker="." if len(points) < 40 else "")
        axes.set(xlabel="step", ylabel=part)
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()
    if any(value > 0 for line in left.lines for value in line.get_ydata()):
        left.set_yscale("log")
    path = folder / "curves.png"
    FigureCanvasAgg(figure).print_png(str(path))
    return path
