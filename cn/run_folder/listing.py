"""The table of runs: the state, the result and the overrides of each."""

from __future__ import annotations

import datetime
import json
import warnings
from pathlib import Path
from typing import Any

from cn.errors import CNError, RunError, short
from cn.nodes.node import CN
from cn.run_folder.folder import has_field
from cn.run_folder.folders import Found, held, names
from cn.run_folder.progress import best, goal, progress, summary
from cn.run_folder.shown import number
from cn.run_folder.status import RunStatus
from cn.table import table
from cn.writing.command_line import command as words_of
from cn.writing.record import FILE, RecordWarning, unplain

ROWS = 40


def show(found: list[Found], *, every: bool) -> str:
    """Return the table; the newest run is last, next to the shell's prompt."""
    shown = found if every else found[-ROWS:]
    called = names(each.folder for each in found)
    runs = [_described(each) for each in shown]
    named = [each["metrics"] for each in runs if each["metrics"] is not None]
    alike = len(set(named)) <= 1  # otherwise each row names its metrics
    measured = ("validation", "test") if not alike else named[0] if named else ("", "")
    header = ["time", "state", "step", *measured, "folder", "what, why"]
    rows = [_row(run, called[each.folder], named=not alike) for run, each in zip(runs, shown, strict=True)]
    if measured[0] == measured[1]:  # runs of a function: no validation, no steps
        left_out = (2, 3) if measured[1] else (2, 3, 4)  # nothing is measured yet
        header, rows = _without(header, *left_out), [_without(row, *left_out) for row in rows]
    left = len(found) - len(shown)
    return (f"{left} older: --all\n\n" if left else "") + table(header, rows)


def _without(cells: list[str], *places: int) -> list[str]:
    return [cell for place, cell in enumerate(cells) if place not in places]


def describe(each: Found) -> dict[str, Any]:
    """Return a run as plain data; `metrics` is None if the run has no goal yet.

    A metric that is called like another key is left out.
    """
    row = _described(each)
    values = dict(zip(row["metrics"] or (), row.pop("values"), strict=False))
    return {**values, **row}


def _described(each: Found) -> dict[str, Any]:
    """Return a run as plain data, with the values of its two metrics."""
    folder = each.folder
    said = summary(folder)
    state, reason = standing(folder, said)
    words, error = _words(folder)
    own = goal(said)
    step, value, test = said.get("step"), said.get(own.name), said.get(own.test)
    try:
        step = progress(folder, own.name).step if step is None else step
        value = best(folder, own) if value is None else value
    except (RunError, OSError) as unread:
        error = error or str(unread).partition("\n")[0]
    known = "goal" in said or value is not None or test is not None
    return {
        "folder": str(folder),
        "time": datetime.datetime.fromtimestamp(each.began).isoformat(" ", "seconds"),
        "state": state,
        "reason": reason,
        "step": step,
        "steps": said.get("steps"),
        "metrics": own.metrics if known else None,
        "values": (value, test),
        "words": words,
        "error": error,
    }


def standing(folder: Path, said: dict[str, Any]) -> tuple[str, str | None]:
    """Return state and reason of a run: those of the summary, but `lost` for a running run without a process."""
    state = said.get("state", RunStatus.RUNNING)
    if state != RunStatus.RUNNING or held(folder):
        return state, said.get("reason")
    there = (folder / "summary.json").exists()
    unsaid = "its summary.json cannot be read" if there else "it has no summary.json"
    return RunStatus.LOST, "no process writes to it any more" if said else unsaid


def _words(folder: Path) -> tuple[list[str], str | None]:
    """Return the overrides that make the run, or the reason why they cannot be found."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RecordWarning)  # a field that is newer than the run
            run = unplain(json.loads((folder / FILE).read_bytes()), FILE)
            return _told(run), None
    except CNError as error:
        return [], str(error).partition("\n")[0]
    except (
        Exception
    ) as error:  # of any file of the user's that is imported here; the other runs are listed all the same
        return [], f"{FILE} cannot be read: {type(error).__name__}: {error}".partition("\n")[0]


def _told(run: CN) -> list[str]:
    own = has_field(type(run))
    return [word for word in words_of(run) if word != "run=default" and not (own and word.startswith("folder="))]


def _row(each: dict[str, Any], name: str, *, named: bool) -> list[str]:
    far = "" if each["step"] is None else f"{each['step']}/{each['steps'] or '?'}"
    values = ["" if value is None else number(value) for value in each["values"]]
    if named and each["metrics"] is not None:
        whose = [metric.partition("/")[2] or metric for metric in each["metrics"]]
        values = [value and f"{metric} {value}" for metric, value in zip(whose, values, strict=True)]
        if each["metrics"][0] == each["metrics"][1]:
            values[0] = ""
    what = " ".join(each["words"])
    if each["error"]:
        what = f"({short(each['error'])})"
    why = f": {short(each['reason'])}" if each["reason"] else ""
    return [each["time"][:16], each["state"], far, *values, name, f"{what}{why}".removeprefix(": ")]
