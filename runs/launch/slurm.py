"""python train.py -m seed=1,2,3 launch=slurm launch.partition=gpu launch.hours=4

A site's own settings are a subclass in this file: `class Kyiv(Slurm)` is `launch=slurm/kyiv`.
"""

from cn.launching.launch import slurm


class Slurm(slurm.Slurm):
    """Jobs of a SLURM cluster."""
