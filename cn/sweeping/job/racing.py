"""Points of a search whose further seeds are to be run: all of them, or with a race those that may be the best."""

from __future__ import annotations

from collections.abc import Container, Sequence

from cn.sweeping.folder.points import Point
from cn.sweeping.job.ends import Ends, done, mean_excess
from cn.sweeping.limit import total
from cn.sweeping.search.race import goes_on


def further(points: Sequence[Point], settled: Container[int], ends: Ends, *, race: float, measures: int) -> list[Point]:
    """Return the points that go on in a race, in their order. They are compared with points within the limits alone.

    settled: the numbers of points that went on before. measures: how often a point is measured.
    """
    waiting = [each for each in lacking(points, measures) if each.number not in settled]
    sign = 1.0 if ends.goal.direction == "maximize" else -1.0
    values: dict[int, list[float]] = {}
    within: set[int] = set()
    for each in points:
        found = done(map(ends.of, each.trials))
        values[each.number] = [sign * end.values[0] for end in found if end.values is not None]
        if not total(mean_excess(found)):
            within.add(each.number)
    measured = [each for number, each in values.items() if len(each) > 1 and number in within]
    return [each for each in waiting if values[each.number] and goes_on(values[each.number][0], measured, race)]


def lacking(points: Sequence[Point], measures: int) -> list[Point]:
    """Return the points with fewer trials than measures; a damaged or an invalid point has none, and is left alone."""
    return [each for each in points if 0 < len(each.trials) < measures]
