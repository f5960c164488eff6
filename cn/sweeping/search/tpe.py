"""python -m sweeps submit NAME search=tpe search.trials=50"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge

from cn.sweeping.search import Search, study
from cn.sweeping.search.past import Past, Suggestion
from cn.sweeping.search_space import Space


class Tpe(Search):
    """Tree-structured Parzen estimator, which fits many kinds of spaces; of Optuna."""

    startup: Annotated[int, Ge(0)] = 10  # points drawn at random before the first that is estimated

    def begin(self) -> None:
        study.begin("search=tpe")

    def suggest(self, space: Space, past: Sequence[Past], number: int, *, maximize: bool) -> Suggestion:
        return self.suggest_several(space, past, number, maximize=[maximize])

    def suggest_several(
        self, space: Space, past: Sequence[Past], number: int, *, maximize: Sequence[bool]
    ) -> Suggestion:
        from optuna.samplers import TPESampler

        return study.suggest(
            lambda: TPESampler(
                n_startup_trials=self.startup,
                multivariate=True,
                group=True,
                constant_liar=True,  # a running point counts as a bad one, so that two workers do not try the same
                seed=study.seed_of(self.seed, number),
            ),
            space,
            past,
            maximize=maximize,
        )
