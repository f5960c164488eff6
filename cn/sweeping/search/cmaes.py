"""python -m sweeps submit NAME search=cmaes search.trials=200"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge

from cn.sweeping.goal import Goal
from cn.sweeping.search import Search, study
from cn.sweeping.search.past import Past, Suggestion
from cn.sweeping.space import Space


class Cmaes(Search):
    """Covariance matrix adaptation, for many points of numbers; choices of a list are drawn at random. Of Optuna."""

    startup: Annotated[int, Ge(1)] = 1  # points drawn at random before

    def check(self) -> None:
        super().check()
        if self.start:
            raise ValueError(
                "start tells points of other searches, and cmaes learns from its own points alone: choose tpe or gp"
            )

    def check_goal(self, goal: Goal) -> None:
        super().check_goal(goal)
        if limits := [each.described() for each in goal.limits()]:
            raise ValueError(f"Cmaes follows no limits, and goal has {' and '.join(limits)}; choose tpe, gp or random")

    def begin(self) -> None:
        study.begin("search=cmaes", "cmaes")

    def suggest(self, space: Space, past: Sequence[Past], number: int, *, maximize: bool) -> Suggestion:
        from optuna.samplers import CmaEsSampler

        return study.suggest(
            lambda: CmaEsSampler(
                n_startup_trials=self.startup,
                seed=study.seed_of(self.seed, number),
            ),
            space,
            past,
            maximize=[maximize],
        )
