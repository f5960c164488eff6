"""The sweeps of this repository. A file of this folder is one: `python -m sweeps submit vit_lr`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cn.errors import lines
from cn.lazy import lazily
from cn.sweeping import HOMES, sweep
from runs import Run
from runs.launch import Launch
from runs.launch.local import Local

if TYPE_CHECKING:
    from cn.sweeping.axes import Axes as Axes
    from cn.sweeping.axes import grid as grid
    from cn.sweeping.axes import integers as integers
    from cn.sweeping.axes import linear_range as linear_range
    from cn.sweeping.axes import log_range as log_range
    from cn.sweeping.axes import log_uniform as log_uniform
    from cn.sweeping.axes import points as points
    from cn.sweeping.axes import random as random
    from cn.sweeping.axes import seeds as seeds
    from cn.sweeping.axes import uniform as uniform
    from cn.sweeping.axes import zipped as zipped
    from cn.sweeping.goal import Goal as Goal
    from cn.sweeping.goal import maximize as maximize
    from cn.sweeping.goal import minimize as minimize
    from cn.sweeping.limit import at_least as at_least
    from cn.sweeping.limit import at_most as at_most
    from cn.sweeping.prune import Prune as Prune
    from cn.sweeping.prune.halving import Halving as Halving
    from cn.sweeping.prune.median import Median as Median
    from cn.sweeping.search import Search as Search
    from cn.sweeping.search.cmaes import Cmaes as Cmaes
    from cn.sweeping.search.gp import Gp as Gp
    from cn.sweeping.search.random import Random as Random
    from cn.sweeping.search.tpe import Tpe as Tpe
    from cn.sweeping.search_space import Space as Space
    from cn.sweeping.search_space import space as space

__getattr__ = lazily(__name__, **HOMES)  # what a sweep is made of


class Sweep(sweep.Sweep):
    """The base class of sweeps over runs of train.py."""

    base: Run
    launch: Launch = Local()

    _makes_folder_: ClassVar[bool] = True

    def check(self) -> None:
        super().check()
        if self.base.mode == "eval" or "mode" in self._varied_():
            what = "the axis mode" if "mode" in self._varied_() else "base.mode=eval"
            test = "to test one that is done: python train.py --from FOLDER mode=eval"
            raise ValueError(lines(f"{what} makes no trial: each is trained", "leave it out", test))
