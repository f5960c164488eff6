"""The results of a sweep for display: a table of the settings' differences, a csv, and plain data."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from csv import writer
from typing import Any

from cn.errors import short
from cn.sweeping.goal import Goal
from cn.sweeping.limit import Limit
from cn.sweeping.showing.scores import Outcome, Row, numbers
from cn.table import table as aligned


def table(rows: list[Row], goal: Goal) -> str:
    """Return a table with one line per setting and the keys that differ."""
    names = varied(rows)
    several = len({row.code for row in rows if row.values}) > 1
    decimals = decimals_of(rows)
    further = [decimals_for(row.means[place] for row in rows if row.values) for place in range(1, len(goal.each()))]
    limits = [
        (each, decimals_for(row.limited[place] for row in rows if row.values))
        for place, each in enumerate(goal.limits())
    ]
    columns = [_column([assigned(row.words).get(name, "") for row in rows]) for name in names]
    cells: list[list[str]] = []
    for place, row in enumerate(rows):
        mean = "-" if row.mean is None else shown(row.mean, decimals)
        spread = "" if row.spread is None else f" +- {shown(row.spread, decimals)}"
        cells.append(
            [
                *(column[place] for column in columns),
                *([(row.code or "")[:8]] if several else []),
                mean + spread,
                *(shown(row.means[place], each) if row.values else "-" for place, each in enumerate(further, 1)),
                *(_limited(row, place, *each) for place, each in enumerate(limits)),
                *(["*" if row.front else ""] if further else []),
                f"{row.count}/{row.expected}",
                why_missing(row),
                row.values[0][0].trial.id if row.values else "",
            ]
        )
    goals = [*(each.metric for each in goal.each()), *(each.described() for each, _ in limits)]
    goals += ["front"] if further else []
    header = [*names, *(["code"] if several else []), *goals, "n", "missing", "best trial"]
    if not any(row.missing for row in rows):
        place = header.index("missing", len(names))
        for line in (header, *cells):
            del line[place]
    return aligned(header, cells)


def _limited(row: Row, place: int, limit: Limit, decimals: int) -> str:
    """Return the mean of a metric that has a limit."""
    if not row.values:
        return "-"
    return shown(row.limited[place], decimals) + (" (beyond)" if limit.excess(row.limited[place]) > 0 else "")


def csv(rows: list[Row]) -> str:
    """Return a csv with one line per trial: its overrides, its goal if counted, and every number of its summary."""
    found: dict[str, tuple[Outcome, float | None]] = {}
    for row in rows:
        found |= {each.trial.id: (each, value) for each, value in row.values}
        for each, why in row.missing:
            if why != "other code":
                found.setdefault(each.trial.id, (each, None))
    given = {name: assigned(each.trial.words) for name, (each, _) in found.items()}
    names = list(dict.fromkeys(key for words in given.values() for key in words if key != "seed"))
    metrics = list(dict.fromkeys(key for each, _ in found.values() for key in numbers(each.summary)))
    fixed = ["seed", "state", "goal", "id", "folder", "code"]
    columns = [f"summary/{name}" if name in {*names, *fixed} else name for name in metrics]
    written = io.StringIO()
    table = writer(written, lineterminator="\n")
    table.writerow([*names, *fixed[:3], *columns, *fixed[3:]])
    for each, value in found.values():
        words, summary = given[each.trial.id], numbers(each.summary)
        start = [*(words.get(name, "") for name in names), words.get("seed", ""), each.state, value]
        measured = (summary.get(name) for name in metrics)
        table.writerow([*start, *measured, each.trial.id, each.trial.folder, each.code])
    return written.getvalue()


def as_json(rows: list[Row], goal: Goal) -> list[dict[str, Any]]:
    """The rows as plain data."""
    several, limits = bool(goal.others), goal.limits()

    def plain(each: Outcome) -> dict[str, Any]:
        seed = assigned(each.trial.words).get("seed")
        return {"id": each.trial.id, "seed": seed, "state": each.state, "folder": each.trial.folder}

    return [
        {
            "words": list(row.words),
            "code": row.code,
            "mean": row.mean,
            "spread": row.spread,
            **({"means": list(row.means), "front": row.front} if several else {}),
            **({"limited": list(row.limited), "within": row.within} if limits else {}),
            "count": row.count,
            "expected": row.expected,
            "best": row.values[0][0].trial.id if row.values else None,
            "values": [{**plain(each), "value": value} for each, value in row.values],
            "missing": [{**plain(each), "why": why, "reason": each.reason} for each, why in row.missing],
        }
        for row in rows
    ]


def assigned(words: Iterable[str]) -> dict[str, str]:
    """Map each key to its value as typed; a deleted `~key` has the value `~`."""
    given: dict[str, str] = {}
    for word in words:
        key, _, value = word.lstrip("+").partition("=")
        value = value or ("~" if key.startswith("~") else "''")
        given[key] = f"{given[key]},{value}" if key in given else value
    return given


def varied(rows: list[Row]) -> list[str]:
    """Return the keys whose values differ between rows, in order of appearance."""
    given = [assigned(row.words) for row in rows]
    names = dict.fromkeys(key for words in given for key in words)
    return [name for name in names if len({words.get(name) for words in given}) > 1]


def brief(text: str) -> str:
    """Shorten a long fraction to four digits."""
    try:
        return f"{float(text):.4g}" if len(text) > 8 and "." in text else text
    except ValueError:
        return text


def why_missing(row: Row) -> str:
    """Return text such as `2 failed (seeds 3, 5), 1 running (seed 4)`; up to three seeds are listed."""
    groups: dict[str, list[str | None]] = {}
    for each, why in row.missing:
        groups.setdefault(why, []).append(assigned(each.trial.words).get("seed"))
    parts: list[str] = []
    for why, seeds in groups.items():
        known = [seed for seed in seeds if seed is not None]
        named = f" (seed{'s' if len(known) > 1 else ''} {', '.join(known)})" if 0 < len(known) <= 3 else ""
        parts.append(f"{len(seeds)} {why}{named}")
    return ", ".join(parts)


def measured(row: Row, decimals: int) -> str:
    """Return a row's value as `0.9861 +- 0.0118 over 2 of 3 seeds`; for a row of one trial, the value alone."""
    assert row.mean is not None
    value = shown(row.mean, decimals)
    if row.expected == 1:
        return value
    spread = "" if row.spread is None else f" +- {shown(row.spread, decimals)}"
    seeds = f"{row.count} of {row.expected}" if row.missing else f"{row.count}"
    return f"{value}{spread} over {seeds} seeds"


def _column(texts: list[str]) -> list[str]:
    """Return each text on one line; long numbers are shortened if they remain distinct."""
    less = [brief(text) for text in texts]
    return [short(text) for text in (less if len(set(less)) == len(set(texts)) else texts)]


def decimals_of(rows: list[Row]) -> int:
    """Return the decimals that show four digits of the best mean; all other values use the same."""
    return decimals_for(row.mean for row in rows)


def decimals_for(means: Iterable[float | None]) -> int:
    """Return the decimals that show four digits of the first mean that is not 0."""
    mean = next((each for each in means if each), None)
    return 4 if mean is None else max(0, 3 - math.floor(math.log10(abs(mean))))


def shown(value: float, decimals: int) -> str:
    return f"{value:.3e}" if decimals > 8 or abs(value) >= 1e6 else f"{value:.{decimals}f}"
