"""Which trials of a search end early: `prune=median` on the command line, and a field of a sweep."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated

from annotated_types import Ge

from cn.nodes.node import CN

Curve = Mapping[int, float]  # step -> value at its validation; larger is better


class Prune(CN):
    """Asked at each validation of a trial but the last."""

    after: Annotated[int, Ge(1)] = 2  # validations of a trial before it may be pruned

    @abstractmethod
    def prunes(self, own: Curve, others: Sequence[Curve]) -> bool:
        """Return whether the trial ends now.

        own: its validations up to now. others: those of all other trials of the sweep, running ones too.
        """

    def promotes(self, curves: Mapping[str, Curve], pruned: Sequence[str]) -> str | None:
        """Return the id of a pruned trial that is to go on from its checkpoint; None if there is none.

        curves: the validations of all trials, by id. pruned: the ids of those that were pruned and have not gone on.
        """
        return None
