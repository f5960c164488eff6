"""How a sweep chooses its points out of a space: `search=tpe` on the command line, and a field of a sweep."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any

from annotated_types import Ge

from cn.nodes.node import CN
from cn.nodes.notes import Neutral
from cn.sweeping.goal import Goal
from cn.sweeping.search.past import Past, Suggestion
from cn.sweeping.search_space import Space


class Search(CN):
    """Each worker asks for a point as soon as it is free, until all points are asked."""

    trials: Annotated[int, Ge(1)] = 25  # points in all; a larger number goes on
    seed: Annotated[int, Ge(0)] = 0  # of the sampler; the same seed and the same past give the same point
    first: Annotated[list[dict[str, Any]], Neutral()] = []  # points (field -> value) that are asked before all others
    start: Annotated[list[str], Neutral()] = []  # other searches, by name or folder, whose points are told first
    race: Annotated[float | None, Ge(0), Neutral()] = (
        None  # spreads; a first seed that is worse by more is the only one
    )

    def check(self) -> None:
        if len(self.first) > self.trials:
            raise ValueError(f"first has {len(self.first)} points, and trials is {self.trials}: they count as trials")

    def check_goal(self, goal: Goal) -> None:
        """Raise ValueError if the search cannot follow the goal of its sweep."""
        if goal.others and type(self).suggest_several is Search.suggest_several:
            raise ValueError(f"{type(self).__name__} takes one goal, and {goal.counted()}; choose tpe or random")
        if goal.others and self.race is not None:
            raise ValueError(f"search.race follows one goal, and {goal.counted()}; write: search.race=null")

    @abstractmethod
    def suggest(self, space: Space, past: Sequence[Past], number: int, *, maximize: bool) -> Suggestion:
        """Return the values of a further point.

        past: the points that were asked before, with what is known of each. number: of this suggestion; the same
        number and the same past give the same point.
        """

    def suggest_several(
        self, space: Space, past: Sequence[Past], number: int, *, maximize: Sequence[bool]
    ) -> Suggestion:
        """Do the same as `suggest` for several goals; a class without this method of its own takes one goal.

        maximize: for each goal, whether larger values are better.
        """
        raise NotImplementedError

    def begin(self) -> None:
        """Import what `suggest` needs. UserError if a package is missing."""
