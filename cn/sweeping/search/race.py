"""Which points of a search are measured with all seeds: `search.race=2`.

A point is run with its first seed, and with the others unless that value is clearly worse than the best mean. This is
the intensification of SMAC (Hutter, Hoos and Leyton-Brown: Sequential Model-Based Optimization for General Algorithm
Configuration, LION 2011), with a margin from the spread over seeds, as in the races of irace
(https://doi.org/10.1016/j.orp.2016.09.002).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

FEWEST = 2  # points that must have been measured several times, before any is left out


def goes_on(first: float, measured: Sequence[Sequence[float]], race: float) -> bool:
    """Return whether a point is measured with its further seeds; larger values are better.

    first: its value with the first seed. measured: the values of points with several seeds. race: the number of
    spreads by which `first` may be below the best mean; the spread is their pooled standard deviation over seeds.
    """
    if len(measured) < FEWEST:
        return True
    squares = sum((value - statistics.fmean(each)) ** 2 for each in measured for value in each)
    spread = math.sqrt(squares / sum(len(each) - 1 for each in measured))
    return first >= max(map(statistics.fmean, measured)) - race * spread
