"""The panel of one axis of a sweep: the goal's final value of each trial over the values of a key."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from cn.run_folder.shown import drawable, whole_ticks
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.goal import Goal
from cn.sweeping.showing.result_table import assigned, brief
from cn.sweeping.showing.scores import Outcome, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CATEGORIES = 12  # maximum per axis
LABEL = 32  # letters of a panel's label
WIDE = 25  # ratio of greatest to least value above which a scale may be logarithmic
BEST, OTHERS, MEAN, NONE = "#d1495b", "#5b86b0", "#1b2a41", "#6b7280"
GOLDEN = 0.618034  # its multiples are evenly distributed in [0, 1)


class Point(NamedTuple):
    """A trial's position on an axis."""

    text: str  # value of the key, as text
    value: float | None  # of the goal; None if the trial ended without one
    best: bool  # whether the trial belongs to the best setting


def over(outcome: Outcome) -> bool:
    """Return whether the trial has ended; such a trial may have no value."""
    return outcome.state in (TrialStatus.DONE, TrialStatus.FAILED)


def points_of(outcomes: list[Outcome], rows: list[Row], names: list[str]) -> dict[str, list[Point]]:
    """Return the points of each key: the trials that have ended, in their order."""
    values = {each.trial.id: value for row in rows for each, value in row.values}
    best = seeds(rows)
    points: dict[str, list[Point]] = {name: [] for name in names}
    for each in outcomes:
        if each.trial.id in values or over(each):
            given = assigned(each.trial.words)
            for name in points.keys() & given.keys():
                points[name].append(Point(given[name], values.get(each.trial.id), each.trial.id in best))
    return points


def seeds(rows: list[Row]) -> set[str]:
    """Return the ids of the trials of the best setting; none if no setting is within the limits."""
    return {each.trial.id for each, _ in rows[0].values} if rows and rows[0].within else set()


def draw_axis(panel: Axes, name: str, points: list[Point], goal: Goal) -> None:
    """Draw a dot per trial, a dash at the mean of each value if there are few, a star at the best setting.

    A trial without a value is a cross at the bottom; the line through the star reaches from the worst seed to the best.
    """
    numbers = {each.text: _number(each.text) for each in points}
    at = {text: number for text, number in numbers.items() if number is not None}
    label = drawable(name, LABEL)
    if len(at) == len(numbers):
        spread = 0.0
        panel.margins(x=0.08)
        _number_ticks(panel, at)
    else:
        spread = 0.3
        shown = _categories(points, goal)
        label += f" ({len(shown)} best of {len(numbers)})" if len(shown) < len(numbers) else ""
        at = {text: float(place) for place, text in enumerate(shown)}
        panel.set_xticks(list(at.values()), texts := [drawable(brief(text), 16) for text in shown])
        if sum(map(len, texts)) > 30:
            panel.tick_params(axis="x", labelrotation=30 if len(shown) <= 6 else 60)
            for each in panel.get_xticklabels():
                each.set(ha="right", rotation_mode="anchor")
        panel.set_xlim(-0.6, len(shown) - 0.4)
    failed = sorted({at[each.text] for each in points if each.value is None and each.text in at})
    if failed:
        bottom = panel.get_xaxis_transform()
        panel.plot(failed, [0.03] * len(failed), "x", color=NONE, markersize=6, transform=bottom, zorder=4)
    found = [(each, each.value) for each in points if each.text in at and each.value is not None]
    x = [at[each.text] + spread * (place * GOLDEN % 1 - 0.5) for place, (each, _) in enumerate(found)]
    y = [value for _, value in found]
    alpha = min(0.8, max(0.25, 60 / (len(x) or 1)))
    panel.plot(x, y, "o", color=OTHERS, markersize=4.5, alpha=alpha, markeredgewidth=0)
    groups: dict[float, list[float]] = {}
    for each, value in found:
        groups.setdefault(at[each.text], []).append(value)
    means = [(place, statistics.fmean(group)) for place, group in groups.items() if len(group) > 1]
    means = means if len(groups) <= CATEGORIES else []
    panel.plot(*across(means), "_", color=MEAN, markersize=16, markeredgewidth=2)
    if best := [(each, value) for each, value in found if each.best]:
        values, place = [value for _, value in best], at[best[0][0].text]
        panel.vlines(place, min(values), max(values), color=BEST, linewidth=1.6, zorder=4)
        panel.plot(place, statistics.fmean(values), "*", color=BEST, markersize=12, markeredgecolor="white", zorder=5)
    panel.margins(y=0.1)
    if y and goal.direction == "minimize" and wide(y):
        panel.set_yscale("log", subs=[])
    panel.set_xlabel(label)


def _number_ticks(panel: Axes, at: dict[str, float]) -> None:
    """Set a tick at each value, if all labels fit."""
    least, most = min(at.values()), max(at.values())
    log = wide(at.values())
    if log:
        panel.set_xscale("log", subs=[])
    elif all(number.is_integer() for number in at.values()):
        whole_ticks(panel.xaxis)
    labels = dict(sorted((number, brief(text)) for text, number in at.items()))
    length = math.log(most / least) if log else most - least
    gaps = [(math.log(b / a) if log else b - a) / length for a, b in pairwise(labels)]
    room = [0.03 + 0.018 * (len(a) + len(b)) for a, b in pairwise(labels.values())]  # fraction of the panel's width
    if all(gap > needed for gap, needed in zip(gaps, room, strict=True)):
        panel.set_xticks(list(labels), list(labels.values()))


def _categories(points: list[Point], goal: Goal) -> list[str]:
    """Return the categories in the order of the trials; if there are too many, only those with the best means."""
    groups: dict[str, list[float]] = {}
    for each in points:
        groups.setdefault(each.text, []).extend([] if each.value is None else [each.value])
    means = {text: statistics.fmean(group) if group else None for text, group in groups.items()}
    kept = sorted(groups, key=lambda text: goal.order(means[text]))[:CATEGORIES]
    return [text for text in groups if text in kept]


def across(pairs: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in pairs], [y for _, y in pairs]


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def wide(values: Iterable[float]) -> bool:
    """Return whether most of the values span orders of magnitude, rather than a few small ones."""
    values = sorted(set(values))
    least, middle, most = values[0], statistics.median_low(values), values[-1]
    return least > 0 and most >= WIDE * least and middle - least <= (most - least) / 4
