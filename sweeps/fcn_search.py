"""python -m sweeps submit fcn_search      (25 trials on this machine, 3 at a time: half a minute on 2 cores)"""

from __future__ import annotations

from runs import Run
from runs.default import Default
from runs.launch import Launch
from runs.launch.local import Local
from sweeps import Axes, Median, Prune, Search, Sweep, Tpe, integers, log_uniform, space


class FcnSearch(Sweep):
    """How deep, how regular and how fast does a fully connected network want to be?"""

    base: Run = Default(epochs=10)
    axes: Axes = space(
        {"optim.lr": log_uniform(1e-5, 1e-3), "model.num_hidden": integers(1, 3), "model.dropout": [0.0, 0.1]}
    )
    search: Search | None = Tpe(trials=25)
    prune: Prune | None = Median(after=2)
    launch: Launch = Local(parallel=3)
