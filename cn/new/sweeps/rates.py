"""python -m cn sweeps submit rates"""

from __future__ import annotations

from cn.sweeping import Axes, Goal, Sweep, grid, minimize, seeds
from runs import Run
from runs.default import Default


class Rates(Sweep):
    """Which step size does the line want, if it has ten steps?"""

    base: Run = Default()
    axes: Axes = grid({"model.steps": [10], "model.rate": [0.1, 0.3, 1.0]}) * seeds(2)
    goal: Goal | None = minimize("rmse")
