"""python -m sweeps submit NAME search=random search.trials=50"""

from __future__ import annotations

from collections.abc import Sequence

from cn.sweeping.search import Search
from cn.sweeping.search.past import Past, Suggestion
from cn.sweeping.search_space import Space


class Random(Search):
    """Independent draws: the points are those of the axes `random(trials, ...)` with the same seed."""

    def check(self) -> None:
        super().check()
        if self.start:
            raise ValueError("start tells points of other searches, and random draws without them: choose tpe or gp")

    def suggest(self, space: Space, past: Sequence[Past], number: int, *, maximize: bool) -> Suggestion:
        return Suggestion(space.draw(number, self.seed))

    def suggest_several(
        self, space: Space, past: Sequence[Past], number: int, *, maximize: Sequence[bool]
    ) -> Suggestion:
        return Suggestion(space.draw(number, self.seed))
