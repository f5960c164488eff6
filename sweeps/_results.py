"""What the trials of a sweep came to: a row for each setting over its seeds, best first."""

from __future__ import annotations

import io
import math
import statistics
from collections import Counter
from collections.abc import Iterable
from csv import writer
from dataclasses import dataclass
from typing import Any

from cn import UserError
from cn.errors import hint, lines, nearest, short
from cn.multirun import table as aligned
from sweeps._goal import Goal
from sweeps._store import State, Trial


@dataclass(frozen=True)
class Outcome:
    """How a trial stands, and what it recorded."""

    trial: Trial
    state: State
    reason: str | None  # why it failed or waits
    summary: dict[str, Any]  # its summary.json, and as `score` what its function returned
    code: str | None  # digest of the code that it ran; None for one that has not begun


@dataclass(frozen=True)
class Row:
    """The trials whose words differ in the seed alone, as one code ran them."""

    words: tuple[str, ...]  # without the seed
    code: str | None  # that gave the values; without any, that of the trials, or None for several
    values: tuple[tuple[Outcome, float], ...]  # of those done, best first
    missing: tuple[tuple[Outcome, str], ...]  # the other trials, each with why it has no value here

    @property
    def mean(self) -> float | None:
        return statistics.fmean(value for _, value in self.values) if self.values else None

    @property
    def spread(self) -> float | None:
        """The sample standard deviation; None for fewer than two values."""
        return statistics.stdev(value for _, value in self.values) if len(self.values) > 1 else None

    @property
    def count(self) -> int:
        return len(self.values)

    @property
    def expected(self) -> int:
        return len(self.values) + len(self.missing)


def results(outcomes: Iterable[Outcome], goal: Goal) -> list[Row]:
    """Best first, and last the settings without a value; those as good as each other stay in their order.

    A setting that different code gave values to has a row for each code, where the values of the others are missing.
    UserError where trials are done and none recorded the goal.
    """
    outcomes = list(outcomes)
    settings: dict[tuple[str, ...], list[Outcome]] = {}
    for each in outcomes:
        settings.setdefault(tuple(sorted(setting(each.trial))), []).append(each)
    rows: list[Row] = []
    for trials in settings.values():
        words = setting(trials[0].trial)
        valued: dict[str | None, list[tuple[Outcome, float]]] = {}
        missing: dict[int, str] = {}  # the place among the trials, and why
        for place, each in enumerate(trials):
            value = goal.of(each.summary) if each.state == "done" else None
            if value is None:
                missing[place] = _why(each, goal)
            else:
                valued.setdefault(each.code, []).append((each, value))
        codes = {each.code for each in trials}
        if not valued:
            code = codes.pop() if len(codes) == 1 else None
            rows.append(Row(words, code, (), tuple((trials[place], why) for place, why in missing.items())))
        for code, values in valued.items():
            values.sort(key=lambda pair: goal.order(pair[1]))
            others = {place: "other code" for place, each in enumerate(trials) if each.code != code} | missing
            rows.append(
                Row(words, code, tuple(values), tuple((trials[place], others[place]) for place in sorted(others)))
            )
    done = [each for each in outcomes if each.state == "done"]
    if done and all(_recorded(each, goal) is None for each in done):
        raise _unrecorded(goal, done)
    return sorted(rows, key=lambda row: goal.order(row.mean))


def best(rows: list[Row], name: str) -> Outcome:
    """The best trial of the best setting; UserError while the sweep of that name has none."""
    if not rows or not rows[0].values:
        counts = Counter(why for row in rows for _, why in row.missing)
        stand = ", ".join(f"{count} {why}" for why, count in counts.items())
        what = f"no trial of {name} has a result yet" + (f": {stand}" if stand else "")
        raise UserError(lines(what, f"see: python -m sweeps status {name}"))
    return rows[0].values[0][0]


def table(rows: list[Row], goal: Goal) -> str:
    """A line a setting, of what differs between them."""
    names = varied(rows)
    several = len({row.code for row in rows if row.values}) > 1
    decimals = decimals_of(rows)
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
                f"{row.count}/{row.expected}",
                why_missing(row),
                row.values[0][0].trial.id if row.values else "",
            ]
        )
    header = [*names, *(["code"] if several else []), goal.metric, "n", "missing", "best trial"]
    if not any(row.missing for row in rows):
        place = header.index("missing", len(names))
        for line in (header, *cells):
            del line[place]
    return aligned(header, cells)


def csv(rows: list[Row]) -> str:
    """A line a trial: what it was given, its goal where that counts, and every number of its summary."""
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


def as_json(rows: list[Row]) -> list[dict[str, Any]]:
    """The rows as plain data."""

    def plain(each: Outcome) -> dict[str, Any]:
        seed = assigned(each.trial.words).get("seed")
        return {"id": each.trial.id, "seed": seed, "state": each.state, "folder": each.trial.folder}

    return [
        {
            "words": list(row.words),
            "code": row.code,
            "mean": row.mean,
            "spread": row.spread,
            "count": row.count,
            "expected": row.expected,
            "best": row.values[0][0].trial.id if row.values else None,
            "values": [{**plain(each), "value": value} for each, value in row.values],
            "missing": [{**plain(each), "why": why, "reason": each.reason} for each, why in row.missing],
        }
        for row in rows
    ]


def setting(trial: Trial) -> tuple[str, ...]:
    """The trial's words but for its seed."""
    return tuple(word for word in trial.words if not word.lstrip("+").startswith("seed="))


def assigned(words: Iterable[str]) -> dict[str, str]:
    """The value that each key is given, as it was typed; `~key`, which has none, is given `~`."""
    given: dict[str, str] = {}
    for word in words:
        key, _, value = word.lstrip("+").partition("=")
        value = value or ("~" if key.startswith("~") else "''")
        given[key] = f"{given[key]},{value}" if key in given else value
    return given


def varied(rows: list[Row]) -> list[str]:
    """The keys that not all rows give the same value, in the order in which they are given."""
    given = [assigned(row.words) for row in rows]
    names = dict.fromkeys(key for words in given for key in words)
    return [name for name in names if len({words.get(name) for words in given}) > 1]


def brief(text: str) -> str:
    """A long fraction to four digits."""
    try:
        return f"{float(text):.4g}" if len(text) > 8 and "." in text else text
    except ValueError:
        return text


def why_missing(row: Row) -> str:
    """As `2 failed (seeds 3, 5), 1 running (seed 4)`; seeds are named where they are few."""
    groups: dict[str, list[str | None]] = {}
    for each, why in row.missing:
        groups.setdefault(why, []).append(assigned(each.trial.words).get("seed"))
    parts: list[str] = []
    for why, seeds in groups.items():
        known = [seed for seed in seeds if seed is not None]
        named = f" (seed{'s' if len(known) > 1 else ''} {', '.join(known)})" if 0 < len(known) <= 3 else ""
        parts.append(f"{len(seeds)} {why}{named}")
    return ", ".join(parts)


def numbers(summary: dict[str, Any]) -> dict[str, float]:
    """What a summary holds that can be compared."""
    return {key: value for key, value in summary.items() if type(value) in (int, float)}


def _column(texts: list[str]) -> list[str]:
    """On one line each, and with long numbers made short where that leaves them apart."""
    less = [brief(text) for text in texts]
    return [short(text) for text in (less if len(set(less)) == len(set(texts)) else texts)]


def decimals_of(rows: list[Row]) -> int:
    """That show four digits of the best mean, so that all others have as many."""
    mean = next((row.mean for row in rows if row.mean), None)
    return 4 if mean is None else max(0, 3 - math.floor(math.log10(abs(mean))))


def shown(value: float, decimals: int) -> str:
    return f"{value:.3e}" if decimals > 8 or abs(value) >= 1e6 else f"{value:.{decimals}f}"


def _recorded(outcome: Outcome, goal: Goal) -> Any:
    """What the summary has for the goal, which may be no finite number."""
    return outcome.summary.get(f"best/{goal.metric}", outcome.summary.get(goal.metric))


def _why(outcome: Outcome, goal: Goal) -> str:
    if outcome.state != "done":
        return outcome.state
    value = _recorded(outcome, goal)
    return "no value" if value is None else short(str(value))  # nan, inf


def _unrecorded(goal: Goal, done: list[Outcome]) -> UserError:
    names = {name.removeprefix("best/") for each in done for name in numbers(each.summary)}
    what = f"no finished trial recorded {goal.metric!r}"
    if not names:
        return UserError(lines(what, "none of them has a number in its summary.json, nor returned one"))
    write = (nearest(goal.metric, names, most=1) or ["NAME"])[0]
    return UserError(lines(what, hint(goal.metric, names), f"write: goal.metric={write}"))
