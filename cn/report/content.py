"""The content of a report as plain data: what a page draws, without how it is drawn."""

from __future__ import annotations

import base64
import math
import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from cn.errors import CNError
from cn.run_folder.differences import ABSENT, Values, differences
from cn.run_folder.metrics import read

CLASS_NAME = re.compile(r"[\w-]+(\.[\w-]+)+:[A-Za-z_][\w.]*")  # the value of a node: `models.vit:ViT`
PICTURES = 3
LARGEST = 1_000_000  # bytes of one picture
WELL = ("done", "finished", "pruned", "running", "queued", "waiting")  # states that are no failure

Direction = Literal["maximize", "minimize"]


@dataclass(frozen=True)
class Entry:
    """One run, or one trial of a sweep."""

    name: str  # id of the trial, or folder of the run
    state: str
    folder: str
    values: Values  # its whole configuration, flattened
    goal: float | None  # the value by which the best is chosen
    seconds: float | None
    curve: list[tuple[float, float]]  # step and value of the goal's metric, in order
    reason: str | None = None
    command: str | None = None  # the command that repeats the run
    order: float = 0.0  # sort key: its start, in seconds since the epoch
    others: tuple[float | None, ...] = ()  # the values of further goals
    limited: tuple[float | None, ...] = ()  # the values that have a limit
    beyond: bool = False  # whether one of them is beyond its limit, so that the entry cannot be the best


@dataclass(frozen=True)
class Content:
    """What the page shows."""

    title: str
    goal: str  # metric
    direction: str
    fields: list[str]  # that differ between the entries
    entries: list[dict[str, Any]]
    counts: dict[str, int]  # by state
    failures: list[dict[str, Any]]  # reason, and the names of the entries that failed with it
    commands: dict[str, str]  # title -> command
    settings: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])  # means and spreads over seeds
    importance: dict[str, float] | str = ""  # of each field, or why it is not known
    pictures: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    others: dict[str, str] = field(default_factory=dict[str, str])  # further goals: metric -> direction
    compared: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])  # settings by several goals
    limits: list[str] = field(default_factory=list[str])  # such as `parameters <= 1e+06`

    def plain(self) -> dict[str, Any]:
        """Return the content as JSON values."""
        return asdict(self)


def content(
    title: str,
    metric: str,
    direction: Direction,
    found: list[Entry],
    *,
    apart: tuple[str, ...] = (),
    commands: dict[str, str],
    settings: list[dict[str, Any]] | None = None,
    others: dict[str, str] | None = None,
    compared: list[dict[str, Any]] | None = None,
    limits: list[str] | None = None,
) -> Content:
    """Return the content for these entries.

    metric: that of the goal. others: further goals. apart: fields that say where a run is computed, and explain no
    result. compared: the means of settings for each goal, and whether they are on the Pareto front.
    """
    from cn.report.importance import importance
    from cn.run_folder.where import says_where

    found = sorted(found, key=lambda each: each.order)
    rows = differences([each.values for each in found]) if found else {}
    fields = [name for name in rows if not says_where(name, apart)]
    taken = {"name", "state", "seconds", metric, *(others or ()), *(limits or ())}  # other columns of the page
    shown = [f"{name} (set)" if name in taken else name for name in fields]
    valued = [each for each in found if each.goal is not None]
    within = [each for each in valued if not each.beyond]
    best = (min if direction == "minimize" else max)(within, key=lambda each: each.goal or 0.0, default=None)
    reasons: dict[str, list[str]] = {}
    for each in found:
        if each.reason and each.state not in WELL:
            reasons.setdefault(each.reason, []).append(each.name)
    return Content(
        title=title,
        goal=metric,
        direction=direction,
        fields=shown,
        entries=[_plain(each, [rows[name][place] for name in fields]) for place, each in enumerate(found)],
        counts=dict(Counter(each.state for each in found)),
        failures=[{"reason": reason, "entries": names} for reason, names in reasons.items()],
        commands=commands,
        settings=settings or [],
        importance=importance(
            [[each.values.get(name) for name in fields] for each in valued],
            shown,
            [each.goal for each in valued if each.goal is not None],
            direction,
        ),
        pictures=_pictures(Path(best.folder)) if best is not None else [],
        others=others or {},
        compared=compared or [],
        limits=limits or [],
    )


def curve(path: Path, metric: str) -> list[tuple[float, float]]:
    """Return the steps and finite values of a metric in a metrics.jsonl; none if the file cannot be read."""
    try:
        records = read(path)
    except CNError:
        return []
    return [
        (record["step"], record[metric]) for record in records if metric in record and math.isfinite(record[metric])
    ]


def _plain(each: Entry, row: list[Any]) -> dict[str, Any]:
    """Return an entry for the page: of its configuration only what differs."""
    return {
        "name": each.name,
        "state": each.state,
        "folder": each.folder,
        "values": [None if value is ABSENT else _short(value) for value in row],
        "goal": each.goal,
        "others": each.others,
        "limited": each.limited,
        "beyond": each.beyond,
        "seconds": each.seconds,
        "steps": [step for step, _ in each.curve],
        "curve": [value for _, value in each.curve],
        "reason": each.reason,
        "command": each.command,
    }


def _short(value: Any) -> Any:
    """Return a value as the page shows it; a class without its module."""
    if isinstance(value, (int, float, bool)):
        return value if not isinstance(value, float) or math.isfinite(value) else str(value)
    text = str(value)
    return text.rpartition(":")[2] if CLASS_NAME.fullmatch(text) else text


def _pictures(folder: Path) -> list[dict[str, str]]:
    """Return the newest pictures of a run's folder."""
    found = [path for path in folder.rglob("*.png") if path.is_file() and path.stat().st_size <= LARGEST]
    found = sorted(found, key=lambda path: (path.stat().st_mtime, path.name), reverse=True)[:PICTURES]
    return [
        {"name": str(path.relative_to(folder)), "png": base64.b64encode(path.read_bytes()).decode()} for path in found
    ]
