"""How far a run has got: the end of its metrics, the best of them, and its summary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple, cast

from runs.logger._writer import records

TEXTS = ("state", "reason", "command", "source", "device")  # of a summary; all else are numbers
OWN = (*TEXTS, "seconds", "parameters", "processes", "steps")  # what no metric may be called
TAIL = 65536  # bytes; a line has some hundred


class Progress(NamedTuple):
    """What a run folder says while its run goes on."""

    step: int | None = None
    steps: int | None = None
    value: float | None = None  # the last of the metric


def summary(folder: Path) -> dict[str, Any]:
    """A run's summary.json, of which only texts and numbers that can be right; empty where none can be read."""
    try:
        found = json.loads((folder / "summary.json").read_bytes())
    except (OSError, ValueError):
        return {}
    told = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
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


def largest(folder: Path, metric: str) -> float | None:
    """The largest value of a metric that the run has written down; no other line than those that hold it is read."""
    key = json.dumps(metric).encode() + b":"
    try:
        written = (folder / "metrics.jsonl").read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return None
    found = records([line for line in written if key in line], folder / "metrics.jsonl")
    return max((each[metric] for each in found), default=None)


def _last(path: Path) -> list[dict[str, Any]]:
    """The last records of a metrics.jsonl; one that is being written is left out."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL))
            lines = file.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    return records(lines[1:] if size > TAIL else lines, path)


def last_lines(path: Path, count: int) -> list[str]:
    """The end of a text file; empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - TAIL))
            text = file.read().decode(errors="replace").rstrip("\n")
            return text.split("\n")[-count:] if text else []
    except FileNotFoundError:
        return []
