"""What every run has. Each other file of this folder is a whole experiment: `runs/default.py` is `run=default`."""

from __future__ import annotations

from typing import ClassVar

from cn import CN
from cn.launching import Launch, Local
from data import Data
from models import Model


class Run(CN):
    """A model, a data set, and a seed."""

    model: Model
    data: Data
    seed: int = 1  # of the points
    launch: Launch = Local()  # this machine, or jobs of a cluster: launch=slurm

    _where_: ClassVar[tuple[str, ...]] = ("launch",)  # fields that do not change the result
