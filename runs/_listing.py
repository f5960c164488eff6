"""The table of runs: how each stands, what it came to, and what it was."""

from __future__ import annotations

import datetime
import json
import warnings
from pathlib import Path
from typing import Any

from cn import CN, CNError, RunError
from cn.errors import short
from cn.record import FILE, RecordWarning, unplain
from cn.table import table
from cn.words import command as words_of
from runs._folders import Found, held, names
from runs._progress import best, goal, progress, summary
from runs._shown import number

ROWS = 40


def show(found: list[Found], *, every: bool) -> str:
    """The newest runs last, next to where the next command is typed."""
    shown = found if every else found[-ROWS:]
    called = names(each.folder for each in found)
    runs = [describe(each) for each in shown]
    alike = len({each["metrics"] for each in runs}) == 1  # else each row names its own
    measured = runs[0]["metrics"] if alike else ("validation", "test")
    header = ["time", "state", "step", *measured, "folder", "what, why"]
    rows = [_row(run, called[each.folder], named=not alike) for run, each in zip(runs, shown, strict=True)]
    left = len(found) - len(shown)
    return (f"{left} older: --all\n\n" if left else "") + table(header, rows)


def describe(each: Found) -> dict[str, Any]:
    """One run, as plain data."""
    folder = each.folder
    said = summary(folder)
    state, reason = standing(folder, said)
    words, error = _words(folder)
    own = goal(said)
    step, value = said.get("step"), said.get(own.metric)
    try:
        step = progress(folder, own.metric).step if step is None else step
        value = best(folder, own) if value is None else value
    except (RunError, OSError) as unread:
        error = error or str(unread).partition("\n")[0]
    return {
        "folder": str(folder),
        "time": datetime.datetime.fromtimestamp(each.began).isoformat(" ", "seconds"),
        "state": state,
        "reason": reason,
        "step": step,
        "steps": said.get("steps"),
        "metrics": (own.metric, own.test),
        own.metric: value,
        own.test: said.get(own.test),
        "words": words,
        "error": error,
    }


def standing(folder: Path, said: dict[str, Any]) -> tuple[str, str | None]:
    """The state of a run and why: that of its summary, but `lost` where it should be running and no process is."""
    state = said.get("state", "running")
    if state != "running" or held(folder):
        return state, said.get("reason")
    there = (folder / "summary.json").exists()
    unsaid = "its summary.json cannot be read" if there else "it has no summary.json"
    return "lost", "no process writes to it any more" if said else unsaid


def _words(folder: Path) -> tuple[list[str], str | None]:
    """What sets a run apart from the defaults of its class, as on a command line; or why that cannot be said."""
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
    return [word for word in words_of(run) if word != "run=default" and not word.startswith("folder=")]


def _row(each: dict[str, Any], name: str, *, named: bool) -> list[str]:
    far = "" if each["step"] is None else f"{each['step']}/{each['steps'] or '?'}"
    values = ["" if each[metric] is None else number(each[metric]) for metric in each["metrics"]]
    if named:
        whose = [metric.partition("/")[2] for metric in each["metrics"]]
        values = [value and f"{metric} {value}" for metric, value in zip(whose, values, strict=True)]
    what = " ".join(each["words"])
    if each["error"]:
        what = f"({short(each['error'])})"
    why = f": {short(each['reason'])}" if each["reason"] else ""
    return [each["time"][:16], each["state"], far, *values, name, f"{what}{why}".removeprefix(": ")]
