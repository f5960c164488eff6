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
    from cn.sweeping.submitting.dispatch import dispatch as dispatch
    from cn.sweeping.sweep import Sweep as Sweep

# What other packages may import, by file.
OFFERS = {
    "actions": ("cancel", "retry", "submit"),
    "axes": (
        "Axes",
        "grid",
        "integers",
        "linear_range",
        "log_range",
        "log_uniform",
        "points",
        "random",
        "seeds",
        "uniform",
        "zipped",
    ),
    "folder.standing": ("look",),
    "folder.trial_status": ("TrialStatus",),
    "goal": ("Goal", "maximize", "minimize"),
    "planning.named": ("find",),
    "project": ("contract", "script", "verbs"),
    "showing.queries": ("best", "every", "logs", "plan", "raw_log", "results", "status", "watch"),
    "submitting.dispatch": ("dispatch",),
    "sweep": ("Sweep",),
}

__getattr__ = lazily(
    __name__,
    Axes="cn.sweeping.axes",
    grid="cn.sweeping.axes",
    integers="cn.sweeping.axes",
    linear_range="cn.sweeping.axes",
    log_range="cn.sweeping.axes",
    log_uniform="cn.sweeping.axes",
    points="cn.sweeping.axes",
    random="cn.sweeping.axes",
    seeds="cn.sweeping.axes",
    uniform="cn.sweeping.axes",
    zipped="cn.sweeping.axes",
    Goal="cn.sweeping.goal",
    maximize="cn.sweeping.goal",
    minimize="cn.sweeping.goal",
    dispatch="cn.sweeping.submitting.dispatch",
    Sweep="cn.sweeping.sweep",
)
