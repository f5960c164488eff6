"""`-m`: every combination of the values that the words stand for, one after the other, and a table at the end."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from cn import discover
from cn.compose import compose, fitting
from cn.errors import CNError, RunError
from cn.help import keys, tolerant
from cn.main import Asked, Job, Launcher
from cn.node import CN
from cn.overrides import WordError, expand
from cn.record import plain
from cn.screen import say
from cn.table import table

SAID = 5  # lines about runs that are left out


def multirun(
    function: Callable[[Any, Job], Any],
    contract: Any,
    base: CN | None,
    words: list[str],
    job: Job,
    launcher: Launcher | None,
) -> None:
    """Run each combination. All are composed before the first starts, so that a mistake in the last costs nothing."""
    start = base if base is not None else contract
    try:
        combinations = expand(words, lambda key: _options(contract, base, key, words))
    except WordError as error:
        raise fitting(error, start, words) from None
    group = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    varied = [i for i in range(len(words)) if len({row[i] for row in combinations}) > 1]
    asked = [
        Asked(
            compose(start, combination),
            replace(job, overrides=tuple(combination), group=group),
            tuple(combination[i] for i in varied),
        )
        for combination in combinations
    ]
    (launcher or here)(function, asked)


def here(function: Callable[[Any, Job], Any], asked: list[Asked]) -> None:
    """One after the other, in this process.

    A run that fails is told and the others go on, with a RunError at the end; one that is stopped stops them all.
    """
    asked = [asked[place] for place in first_of_each([comes_to(each.run) for each in asked], asked_for(asked))]
    results: list[Any] = []
    for number, (node, job, varied) in enumerate(asked):
        say(" ".join([f"[{number + 1}/{len(asked)}]", *varied]))
        try:
            results.append(function(node, job))
        except CNError as error:
            if error.status > 128:  # a signal, meant for all of them
                say("\n" + results_table(asked, results))
                raise
            say(error)
            results.append(error)
    say("\n" + results_table(asked, results))
    refuse_failed(results)


def first_of_each(runs: list[str], words: list[str]) -> list[int]:
    """The places of the runs that are not the same as one before them; says which are left out.

    runs: what each comes to, alike for two that are the same run.
    words: what each was asked for with.
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
    """What a run is, whatever words it was asked for with."""
    return json.dumps(plain(run), sort_keys=True)


def asked_for(asked: list[Asked]) -> list[str]:
    """The words of each run, which set it apart where any do."""
    return [" ".join(each.varied or each.job.overrides) for each in asked]


def results_table(asked: list[Asked], results: list[Any]) -> str:
    """A line for each of the first runs, of which the results are: what was returned, or the error."""
    header = ["no.", *(word.partition("=")[0] for word in asked[0].varied), "result"]
    rows: list[list[str]] = []
    for number, (each, result) in enumerate(zip(asked, results, strict=False)):
        shown = f"{result:.4f}" if isinstance(result, float) else str(result)
        if isinstance(result, Exception):
            shown = f"failed: {str(result).splitlines()[0]}"
        rows.append([str(number), *(word.partition("=")[2] for word in each.varied), shown])
    return table(header, rows)


def refuse_failed(results: list[Any]) -> None:
    """RunError where any of them is an error."""
    failed = sum(isinstance(result, Exception) for result in results)
    if failed:
        raise RunError(f"{failed} of {len(results)} runs failed")


def _options(contract: Any, base: CN | None, key: str, words: Iterable[str] = ()) -> list[str]:
    """What `glob(...)` may choose from at a key; the other words may have chosen the node that has it."""
    root = tolerant(base if base is not None else contract, words)
    for name, types, *_ in keys(contract, root):
        if name == key:
            return list(discover.options(types)[0])
    return []
