"""What `Job.report` does in a trial of a sweep that prunes: record the value, and ask whether the trial ends."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

from cn.errors import RunError, hint, short
from cn.job import Diverged
from cn.run_folder.progress import summary
from cn.run_folder.state_files import DamagedError, content
from cn.sweeping.folder.batches import Batch, Trial
from cn.sweeping.folder.points import Points
from cn.sweeping.folder.store import Store
from cn.sweeping.goal import Goal
from cn.sweeping.prune import Curve, Prune
from cn.sweeping.sweep import Sweep
from cn.writing.record import unplain

FILE, SUMMARY = "reports.jsonl", "summary.json"  # of a trial's folder


class Rule(NamedTuple):
    """What a process of the trial reads once."""

    prune: Prune
    goal: Goal
    points: Points
    curves: dict[Path, tuple[int, Curve]]  # folder of a trial -> bytes of its file, and what they hold
    beyond: dict[Path, tuple[int, bool]]  # folder of a trial -> when its summary was written, and what it says


@dataclass(frozen=True)
class Reporter:
    """It is copied to each process of the trial."""

    sweep: dict[str, Any]  # by cn.writing.record.plain
    goal: dict[str, Any]
    store: Path  # the sweep's folder
    folder: Path  # of the trial

    @functools.cached_property
    def rule(self) -> Rule:
        goal, sweep = unplain(self.goal), unplain(self.sweep, types=(Sweep,))
        assert isinstance(goal, Goal)
        assert isinstance(sweep, Sweep)
        assert sweep.prune is not None
        return Rule(sweep.prune, goal, Points(Store(self.store)), {}, {})

    def __call__(self, step: int, metrics: Mapping[str, float]) -> bool:
        """Record the goal's value, and return whether the trial ends.

        RunError if the goal is not among the metrics; Diverged if its value is not finite.
        """
        prune, goal, points, curves, beyond = self.rule
        value = goal.of(metrics)
        if value is None:
            raise _without_value(goal.metric, step, metrics)
        _append(self.folder / FILE, json.dumps({"step": step, "value": value}))
        sign = 1.0 if goal.direction == "maximize" else -1.0
        owners = points.owners().values()
        folders = {points.store.at(each.trial).absolute(): each.until for each in owners}
        if step <= folders.pop(self.folder, -1):
            return False
        compared = [each for each in sorted(folders) if not _is_beyond(each, goal, beyond)]
        others = [curve for folder in compared if (curve := _curve(folder, sign, curves))]
        return prune.prunes(curve_of(self.folder, sign), others)


def _append(path: Path, line: str) -> None:
    """Append a line and sync the file; a line that a full disk cut short is ended first."""
    with path.open("ab+") as file:
        if file.tell() > 0:
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else f"\n{line}"
        file.write(f"{line}\n".encode())
        file.flush()
        os.fsync(file.fileno())


def _without_value(metric: str, step: int, metrics: Mapping[str, Any]) -> RunError:
    """Return the error for metrics that have no value of the goal, or one that is no finite number."""
    found = metrics.get(f"best/{metric}", metrics.get(metric))
    if isinstance(found, float):
        return Diverged(f"{metric} is {found} after step {step}")
    what = f"prune follows {metric}, and the validation after step {step} came to none"
    if found is None:
        return RunError(what, hint(metric, metrics), "without it: prune=null")
    return RunError(f"{what}, but to {short(repr(found))}", f"write: job.report(step, {{{metric!r}: float(...)}})")


def reporter(batch: Batch, store: Path, folder: Path) -> Reporter | None:
    """Return what a trial of a batch reports to; None if its sweep prunes nothing."""
    if batch.search is None or batch.goal is None or batch.search.get("prune") is None:
        return None
    return Reporter(batch.search, batch.goal, store, folder.absolute())


def promoted(store: Store, prune: Prune, goal: Goal, trials: Iterable[Trial], pruned: Sequence[str]) -> str | None:
    """Return the id of the pruned trial that goes on next, of all trials of a search; None if there is none."""
    sign = 1.0 if goal.direction == "maximize" else -1.0
    folders = {each.id: store.at(each) for each in trials}
    within = {name: folder for name, folder in folders.items() if not _is_beyond(folder, goal, {})}
    curves = {name: curve for name, folder in within.items() if (curve := curve_of(folder, sign))}
    return prune.promotes(curves, pruned)


def _is_beyond(folder: Path, goal: Goal, known: dict[Path, tuple[int, bool]]) -> bool:
    """Return whether a trial is known to be beyond a limit; the summary of one that runs may not say it yet."""
    if not goal.limits():
        return False
    try:
        written = (folder / SUMMARY).stat().st_mtime_ns
    except OSError:
        return False
    if folder not in known or known[folder][0] != written:
        known[folder] = written, goal.is_beyond(summary(folder))
    return known[folder][1]


def _curve(folder: Path, sign: float, known: dict[Path, tuple[int, Curve]]) -> Curve:
    """Return the same as `curve_of`; a file that has not grown is not read again."""
    try:
        size = (folder / FILE).stat().st_size
    except OSError:
        return {}
    if folder not in known or known[folder][0] != size:
        known[folder] = size, curve_of(folder, sign)
    return known[folder][1]


def curve_of(folder: Path, sign: float = 1.0) -> Curve:
    """Return the reported values of a trial, times the sign; a line that was cut short is left out."""
    found: dict[int, float] = {}
    try:
        text = content(folder / FILE) or b""
    except DamagedError:
        return found
    for line in text.splitlines():
        with suppress(ValueError, KeyError, TypeError):
            told = cast("dict[str, Any]", json.loads(line))
            found[int(told["step"])] = sign * float(told["value"])
    return found
