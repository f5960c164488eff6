"""The progress of a run: the end of its metrics, the best value of a metric, and the summary."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from cn.errors import short
from cn.run_folder.metrics import records
from cn.run_folder.state_files import DamagedError, content, read
from cn.run_folder.watched import Watched

# fields of a summary that are texts; all others are numbers
TEXTS = ("state", "reason", "command", "source", "device", "goal")
TIMES = ("started", "ended")  # also texts, in the summary of a run of `cn.main`
OWN = (*TEXTS, "seconds", "parameters", "processes", "steps")  # names that no metric may have
TAIL = 65536  # bytes; a line has about 100


class Progress(NamedTuple):
    """The progress of a run that has not ended."""

    step: int | None = None
    steps: int | None = None
    value: float | None = None  # the last value of the metric


def summary(folder: Path) -> dict[str, Any]:
    """Return the valid fields of a run's summary.json; {} if the file is missing or damaged."""
    try:
        return _right(_object(folder))
    except DamagedError:
        return {}


def whole_summary(folder: Path) -> dict[str, Any]:
    """Return the valid fields of summary.json; {} if it is missing. DamagedError if it or a text in it is damaged."""
    told = _object(folder)
    for name in TEXTS:
        if not isinstance(told.get(name, ""), str):
            raise DamagedError(folder / "summary.json", f"it holds {name}={short(json.dumps(told[name]))}")
    return _right(told)


def _object(folder: Path) -> dict[str, Any]:
    """Return the object in summary.json; {} if the file is missing. Raises DamagedError."""
    found = read(folder / "summary.json")
    if isinstance(found, dict):
        return cast("dict[str, Any]", found)
    if found is None and not (folder / "summary.json").exists():
        return {}
    raise DamagedError(folder / "summary.json", "it holds no object")


def _right(told: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in told.items()
        if isinstance(value, str if name in (*TEXTS, *TIMES) else (int, float))
    }


def progress(folder: Path, metric: str) -> Progress:
    """Return the last step in metrics.jsonl, and the last value of a metric."""
    steps = summary(folder).get("steps")
    step: int | None = None
    for record in reversed(_last(folder / "metrics.jsonl")):
        step = record.get("step") if step is None else step
        if metric in record:
            return Progress(step, steps, record[metric])
    return Progress(step, steps)


def goal(said: dict[str, Any]) -> Watched:
    """Return the goal in a summary; the default for an old summary without one."""
    return Watched.said(said.get("goal", ""))


def value_of(said: Mapping[str, Any], metric: str) -> float | None:
    """Return the value of a run in its summary, `best/METRIC` before `METRIC`; None if it is missing or not finite."""
    value = said.get(f"best/{metric}", said.get(metric))
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def best(folder: Path, goal: Watched) -> float | None:
    """Return the best value of a goal in metrics.jsonl; only the lines with that metric are parsed."""
    key = json.dumps(goal.name).encode() + b":"
    written = (content(folder / "metrics.jsonl") or b"").split(b"\n")[:-1]
    found = records([line for line in written if key in line], folder / "metrics.jsonl")
    return (min if goal.less else max)((each[goal.name] for each in found if goal.name in each), default=None)


def _last(path: Path) -> list[dict[str, Any]]:
    """Return the last records of a metrics.jsonl, without an incomplete last line."""
    found = content(path, last=TAIL) or b""
    lines = found.split(b"\n")[:-1]
    return records(lines[1:] if len(found) == TAIL else lines, path)


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last lines of a text file, or the reason why it cannot be read; [] if it is missing."""
    try:
        text = (content(path, last=TAIL) or b"").decode(errors="replace").rstrip("\n")
    except DamagedError as damaged:
        return [str(damaged)]
    return text.split("\n")[-count:] if text else []
