"""`-m`: every combination of the values that the words stand for, one after the other, and a table at the end."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from cn import registry
from cn.compose import compose
from cn.errors import CNError, RunError
from cn.help import keys, tolerant
from cn.main import Job
from cn.node import CN
from cn.overrides import expand


def multirun(function: Callable[[Any, Job], Any], contract: Any, base: CN | None, words: list[str], job: Job) -> None:
    """Run each combination. All are composed before the first starts, so that a mistake in the last costs nothing.

    A run that fails is told and the others go on, with a RunError at the end; one that is stopped stops them all.
    """
    start = base if base is not None else contract
    combinations = expand(words, lambda key: _options(contract, base, key, words))
    nodes = [compose(start, combination) for combination in combinations]
    group = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    varied = [i for i in range(len(words)) if len({row[i] for row in combinations}) > 1]
    rows: list[list[str]] = []
    header = ["no.", *(words[i].partition("=")[0] for i in varied), "result"]
    failed = 0
    for number, (node, combination) in enumerate(zip(nodes, combinations, strict=True)):
        named = [combination[i] for i in varied]
        print(" ".join([f"[{number + 1}/{len(nodes)}]", *named]), flush=True)
        try:
            result = function(node, replace(job, overrides=tuple(combination), group=group))
            shown = f"{result:.4f}" if isinstance(result, float) else str(result)
        except CNError as error:
            if error.status > 128:  # a signal, meant for all of them
                print("\n" + table(header, rows))
                raise
            print(error, flush=True)
            failed += 1
            shown = f"failed: {str(error).splitlines()[0]}"
        rows.append([str(number), *(each.partition("=")[2] for each in named), shown])
    print("\n" + table(header, rows))
    if failed:
        raise RunError(f"{failed} of {len(nodes)} runs failed")


def table(header: list[str], rows: list[list[str]]) -> str:
    """Columns set apart by two spaces, as wide as they must be."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _options(contract: Any, base: CN | None, key: str, words: Iterable[str] = ()) -> list[str]:
    """What `glob(...)` may choose from at a key; the other words may have chosen the node that has it."""
    root = tolerant(base if base is not None else contract, words)
    for name, types, *_ in keys(contract, root):
        if name == key:
            return list(registry.options(types)[0])
    return []
