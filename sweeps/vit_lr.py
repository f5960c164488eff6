"""python -m sweeps submit vit_lr"""

from __future__ import annotations

from runs import Run
from runs.cifar_vit import CifarViT
from runs.launch import Launch
from runs.launch.slurm import Slurm
from sweeps import Axes, Sweep, grid, log_range, seeds


class VitLr(Sweep):
    """Which learning rate does each depth of a vision transformer want?"""

    base: Run = CifarViT()
    axes: Axes = grid({"model.depth": [6, 9, 12], "optim.lr": log_range(1e-4, 3e-3, 4)}) * seeds(3)
    launch: Launch = Slurm(gpus=1, hours=2, parallel=16)
