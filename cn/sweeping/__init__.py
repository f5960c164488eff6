"""Sweeps: many runs from one class, as jobs of this machine or of a cluster, with their results."""

from typing import TYPE_CHECKING

from cn.lazy import lazily

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
    from cn.sweeping.submitting.dispatch import dispatch as dispatch
    from cn.sweeping.sweep import Sweep as Sweep

# The words of a sweep, by file: `sweeps` offers them too.
WORDS = {
    "axes": "Axes grid integers linear_range log_range log_uniform points random seeds uniform zipped",
    "goal": "Goal maximize minimize",
    "limit": "at_least at_most",
    "prune": "Prune",
    "prune.halving": "Halving",
    "prune.median": "Median",
    "search": "Search",
    "search.cmaes": "Cmaes",
    "search.gp": "Gp",
    "search.random": "Random",
    "search.tpe": "Tpe",
    "search_space": "Space space",
    "submitting.dispatch": "dispatch",
    "sweep": "Sweep",
}
HOMES = {name: f"{__name__}.{file}" for file, names in WORDS.items() for name in names.split()}

# What other packages may import: the names of each file.
OFFERS = {
    **WORDS,
    "actions": "cancel retry submit",
    "course": "Course",
    "folder.look": "look",
    "folder.trial_status": "TrialStatus",
    "planning.named": "find",
    "project": "contract script verbs",
    "showing.export": "export",
    "showing.report": "report",
    "showing.queries": "best every logs plan raw_log results status watch",
}

__getattr__ = lazily(__name__, **HOMES)
