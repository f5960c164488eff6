"""A sweep: one run, and what is varied in it. A file of sweeps/ is one: `python -m cn sweeps submit vit_lr`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge

from cn.launching.launch import Launch
from cn.launching.launch.local import Local
from cn.nodes.node import CN
from cn.sweeping.axes import Axes
from cn.sweeping.goal import Goal


class Sweep(CN):
    """The base class of sweeps. A subclass may also drop points, derive values, and set resources of single trials.

    A subclass declares its base again, with the project's own class of runs: `base: Run = Default()`.
    """

    if TYPE_CHECKING:
        base: Any  # so that a subclass may declare its own class of runs
    else:
        base: CN
    axes: Axes = Axes()
    goal: Goal | None = None  # by which the best trial is chosen; null: that of the base
    launch: Launch = Local()
    give_up: Annotated[int, Ge(1)] | None = 3  # trials that fail alike before no other is started; null: never
    folder: Path | None = None  # of the sweep; null: outputs/sweeps/NAME

    _function_: ClassVar[str] = "train:train"  # called with each trial's run: the function `train` of train.py
    _makes_folder_: ClassVar[bool] = False  # whether it makes the run's folder itself: main(train, folder=False)

    def keep(self, trial: Any) -> bool:
        """Return whether the trial belongs to the sweep."""
        return True

    def derive(self, trial: Any) -> dict[str, Any]:
        """Return further values by key, computed from the trial."""
        return {}

    def resources(self, trial: Any) -> Launch:
        """Return the launch of a trial's job."""
        return self.launch
