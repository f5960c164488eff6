"""python -m sweeps submit digits_lr      (six short trials on this machine: about a minute on 2 cores)"""

from __future__ import annotations

from runs import Run
from runs.default import Default
from runs.launch import Launch
from runs.launch.local import Local
from sweeps import Axes, Sweep, grid, seeds


class DigitsLr(Sweep):
    """Which learning rate does the default run want?"""

    base: Run = Default(epochs=5)
    axes: Axes = grid({"optim.lr": [5e-4, 2e-3, 8e-3]}) * seeds(2)
    launch: Launch = Local(parallel=2)
