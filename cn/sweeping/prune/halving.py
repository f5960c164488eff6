"""python -m sweeps submit NAME prune=halving prune.factor=3"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from annotated_types import Ge

from cn.sweeping.prune import Curve, Prune


class Halving(Prune):
    """Asynchronous successive halving (arXiv:1810.05934): of the trials at each rung, 1 in `factor` goes on.

    The rungs are at `after`, `after * factor`, `after * factor**2`, ... validations. A trial that is not among the best
    when it comes to a rung is pruned. It goes on from its checkpoint as soon as it is, since others came after it.
    """

    after: Annotated[int, Ge(1)] = 1  # validations of a trial at the first rung
    factor: Annotated[int, Ge(2)] = 3  # one in so many trials at a rung goes on

    def prunes(self, own: Curve, others: Sequence[Curve]) -> bool:
        rung = len(own)
        if rung not in self._rungs(rung):
            return False
        values = [at(each, rung) for each in others if len(each) >= rung]
        better = sum(value > at(own, rung) for value in values)
        return better >= (len(values) + 1) // self.factor

    def promotes(self, curves: Mapping[str, Curve], pruned: Sequence[str]) -> str | None:
        longest = max(map(len, curves.values()), default=0)
        for rung in reversed(self._rungs(longest)):
            there = sorted((-at(curve, rung), name) for name, curve in curves.items() if len(curve) >= rung)
            for _, name in there[: len(there) // self.factor]:
                if name in pruned and len(curves[name]) == rung:
                    return name
        return None

    def _rungs(self, longest: int) -> list[int]:
        """Return the numbers of validations at the rungs up to a number."""
        found: list[int] = []
        rung = self.after
        while rung <= longest:
            found.append(rung)
            rung *= self.factor
        return found


def at(curve: Curve, rung: int) -> float:
    """Return the best value of a curve in its first validations."""
    return max(curve[step] for step in sorted(curve)[:rung])
