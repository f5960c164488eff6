"""A sweep: one run, and what is varied in it. A file of sweeps/ is one: `python -m sweeps submit vit_lr`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cn import CN
from runs import Run
from runs.launch import Launch
from runs.launch.local import Local
from sweeps._axes import Axes as Axes
from sweeps._axes import grid as grid
from sweeps._axes import integers as integers
from sweeps._axes import linear_range as linear_range
from sweeps._axes import log_range as log_range
from sweeps._axes import log_uniform as log_uniform
from sweeps._axes import points as points
from sweeps._axes import random as random
from sweeps._axes import seeds as seeds
from sweeps._axes import uniform as uniform
from sweeps._axes import zipped as zipped
from sweeps._goal import Goal as Goal
from sweeps._goal import maximize as maximize
from sweeps._goal import minimize as minimize


class Sweep(CN):
    """What every sweep has. A subclass may also drop points, derive values, and ask for more for some of its trials."""

    base: Run
    axes: Axes = Axes()
    goal: Goal | None = None  # by which the best trial is chosen; null: that of the base's task
    launch: Launch = Local()
    give_up: int | None = 3  # trials that fail for the same reason before no other is started; null: never
    folder: Path | None = None  # of the sweep; null: outputs/sweeps/NAME

    def keep(self, trial: Run) -> bool:
        """Whether a combination is wanted."""
        return True

    def derive(self, trial: Run) -> dict[str, Any]:
        """Values by key that follow from the others."""
        return {}

    def resources(self, trial: Run) -> Launch:
        """What a trial's job needs."""
        return self.launch

    def check(self) -> None:
        if self.give_up is not None and self.give_up < 1:
            raise ValueError(f"give_up is {self.give_up}, and must be at least 1 trial; null never gives up")
