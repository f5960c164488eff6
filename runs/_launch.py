"""Dispatch of train.py's runs: what makes no sense is refused first, and benchmarks are compared at the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cn import Job
from cn.job import Request


def launch(function: Callable[[Any, Job], Any], asked: list[Request]) -> None:
    """Train each run where its `launch` says: here, and wait; or as jobs of a cluster, and return."""
    from cn.sweeping.submitting import dispatch  # only here, since --help and completion need none of it

    dispatch.dispatch(function, asked, refuse=_refuse, compare=_compared)


def _refuse(each: Request) -> None:
    from runs._request import asked

    asked(each.run, each.job)


def _compared(folders: list[Path], words: list[str]) -> str | None:
    """Return the differences of runs with the same benchmarks to the first run, as a table."""
    from runs._benchmark_comparison import against, told

    rows = against(folders)
    return told(rows, words) if rows else None
