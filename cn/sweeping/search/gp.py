"""python -m sweeps submit NAME search=gp search.trials=50"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge

from cn.sweeping.search import Search, study
from cn.sweeping.search.past import Past, Suggestion
from cn.sweeping.search_space import Space


class Gp(Search):
    """Gaussian process, for few points that are expensive. Of Optuna."""

    startup: Annotated[int, Ge(1)] = 10  # points drawn at random before

    def begin(self) -> None:
        study.begin("search=gp", "scipy", "torch")

    def suggest(self, space: Space, past: Sequence[Past], number: int, *, maximize: bool) -> Suggestion:
        from optuna.samplers import GPSampler

        return study.suggest(
            lambda: GPSampler(
                n_startup_trials=self.startup,
                seed=study.seed_of(self.seed, number),
            ),
            space,
            study.pruned_as_done(past),
            maximize=[maximize],
        )
