"""How far a run has got: the end of its metrics, the best of them, and its summary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple, cast

from cn.errors import short
from runs._state_files import DamagedError, content, read
from runs.logger._writer import records

TEXTS = ("state", "reason", "command", "source", "device", "goal")  # of a summary; all else are numbers
OWN = (*TEXTS, "seconds", "parameters", "processes", "steps")  # what no metric may be called
TAIL = 65536  # bytes; a line has some hundred


class Goal(NamedTuple):
    """The metric by which a run's validations are the best, as its summary has it: `maximize validation/accuracy`."""

    metric: str = "validation/accuracy"  # of a run from before summaries had a goal
    less: bool = False

    @property
    def test(self) -> str:
        """The same of the test, which is the run's score."""
        return self.metric.replace("validation/", "test/", 1)

    def __str__(self) -> str:
        return f"{'minimize' if self.less else 'maximize'} {self.metric}"


class Progress(NamedTuple):
    """What a run folder says while its run goes on."""

    step: int | None = None
    steps: int | None = None
    value: float | None = None  # the last of the metric


def summary(folder: Path) -> dict[str, Any]:
    """A run's summary.json, of which only texts and numbers that can be right; empty where none can be read."""
    try:
        return _right(_object(folder))
    except DamagedError:
        return {}


def whole_summary(folder: Path) -> dict[str, Any]:
    """The same; raises DamagedError where it or a text of it cannot be read, and is empty only where there is none."""
    told = _object(folder)
    for name in TEXTS:
        if not isinstance(told.get(name, ""), str):
            raise DamagedError(folder / "summary.json", f"it holds {name}={short(json.dumps(told[name]))}")
    return _right(told)


def _object(folder: Path) -> dict[str, Any]:
    """What summary.json holds; empty where there is none. Raises DamagedError."""
    found = read(folder / "summary.json")
    if isinstance(found, dict):
        return cast("dict[str, Any]", found)
    if found is None and not (folder / "summary.json").exists():
        return {}
    raise DamagedError(folder / "summary.json", "it holds no object")


def _right(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if isinstance(value, str if name in TEXTS else (int, float))}


def progress(folder: Path, metric: str) -> Progress:
    """The last step, and the last value of a metric, that the run has written down."""
    steps = summary(folder).get("steps")
    step: int | None = None
    for record in reversed(_last(folder / "metrics.jsonl")):
        step = record.get("step") if step is None else step
        if metric in record:
            return Progress(step, steps, record[metric])
    return Progress(step, steps)


def goal(said: dict[str, Any]) -> Goal:
    """The goal of the run that a summary is of."""
    way, _, metric = said.get("goal", "").partition(" ")
    return Goal(metric, way == "minimize") if metric else Goal()


def best(folder: Path, goal: Goal) -> float | None:
    """The best value of a goal that the run has written down; no other line than those that hold it is read."""
    key = json.dumps(goal.metric).encode() + b":"
    written = (content(folder / "metrics.jsonl") or b"").split(b"\n")[:-1]
    found = records([line for line in written if key in line], folder / "metrics.jsonl")
    return (min if goal.less else max)((each[goal.metric] for each in found if goal.metric in each), default=None)


def _last(path: Path) -> list[dict[str, Any]]:
    """The last records of a metrics.jsonl; one that is being written is left out."""
    found = content(path, last=TAIL) or b""
    lines = found.split(b"\n")[:-1]
    return records(lines[1:] if len(found) == TAIL else lines, path)


def last_lines(path: Path, count: int) -> list[str]:
    """The end of a text file, or why it cannot be read; empty where there is none."""
    try:
        text = (content(path, last=TAIL) or b"").decode(errors="replace").rstrip("\n")
    except DamagedError as damaged:
        return [str(damaged)]
    return text.split("\n")[-count:] if text else []
