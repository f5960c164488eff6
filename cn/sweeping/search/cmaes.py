"""python -m sweeps submit NAME search=cmaes search.trials=200"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from annotated_types import Ge

from cn.sweeping.goal import Goal
from cn.sweeping.search import Search, study
from cn.sweeping.search.past import Past, PointState, Suggestion
from cn.sweeping.search_space import Space


class Cmaes(Search):
    """Covariance matrix adaptation, for many points of numbers; choices of a list are drawn at random. Of Optuna.

    Its first generation is drawn around the best point of `first` that is done, or else around the middle of the space.
    """

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
                x0=self._center(space, past, maximize=maximize),
                n_startup_trials=self.startup,
                seed=study.seed_of(self.seed, number),
            ),
            space,
            study.pruned_as_done(past),
            maximize=[maximize],
        )

    def _center(self, space: Space, past: Sequence[Past], *, maximize: bool) -> dict[str, Any] | None:
        """Return the parameters of the best given point; None if none is done."""
        known = [each for each in past if each.values in self.first]
        done = [(each.value, each) for each in known if each.state == PointState.DONE and each.value is not None]
        if not done:
            return None
        _, best = (max if maximize else min)(done, key=lambda each: each[0])
        told = study.frozen(best, space)
        return None if told is None else told.params
