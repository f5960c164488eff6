"""The runs of one command: find duplicates, and print a table of their results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from cn.errors import RunError
from cn.nodes.node import CN
from cn.nodes.to_json import plain
from cn.screen import say
from cn.table import number, table

SAID = 5  # lines about duplicate runs


def first_of_each(runs: list[str], words: list[str]) -> list[int]:
    """Return the indices of the runs without duplicates; print which runs are left out.

    runs: a string per run that is equal for duplicates.
    words: the words that each run was requested with.
    """
    first: dict[str, int] = {}
    repeated: list[str] = []
    for place, run in enumerate(runs):
        before = words[first.setdefault(run, place)]
        if first[run] != place:
            same = "it is asked for twice" if before == words[place] else f"it is the same run as {before}"
            repeated.append(f"{words[place]} is left out: {same}")
    for line in repeated[:SAID]:
        say(line)
    if len(repeated) > SAID:
        say(f"{len(repeated) - SAID} more are left out, which are the same runs too")
    return list(first.values())


def comes_to(run: CN) -> str:
    """Return the JSON of a run, equal for equal runs whatever words requested them; the order of a dict counts."""
    return json.dumps(plain(run))


def results_table(varied: list[tuple[str, ...]], results: list[Any]) -> str:
    """Return a table with a row for each result: the returned value, or the error.

    varied: for each run, the words that distinguish it from the others.
    """
    header = ["no.", *(word.partition("=")[0] for word in varied[0]), "result"]
    rows: list[list[str]] = []
    for place, (words, result) in enumerate(zip(varied, results, strict=False)):
        shown = _shown(result)
        if isinstance(result, Mapping):
            named = cast("Mapping[str, Any]", result).items()
            shown = ", ".join(f"{name} {_shown(each)}" for name, each in named)
        if isinstance(result, Exception):
            stopped = getattr(result, "status", 1) > 128  # by a signal
            shown = f"{'' if stopped else 'failed: '}{(str(result) or type(result).__name__).splitlines()[0]}"
        rows.append([str(place), *(word.partition("=")[2] for word in words), shown])
    return table(header, rows)


def _shown(result: Any) -> str:
    return number(result) if isinstance(result, float) else str(result)


def refuse_failed(results: list[Any]) -> None:
    """Raise RunError if a result is an error."""
    failed = sum(isinstance(result, Exception) for result in results)
    if failed:
        raise RunError(f"{failed} of {len(results)} runs failed")
