"""What `retry` mends of a sweep's folder, and what a plan knows of trials that no batch tells of any more."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from cn.record import plain
from runs._progress import summary
from runs._state_files import LONGEST, DamagedError, set_aside
from runs.launch.local import Local
from sweeps import _batch
from sweeps._batch import Batch
from sweeps._named import FILE, Named, describe, goal_in
from sweeps._plan import Planned
from sweeps._standing import Standing, Sweeping
from sweeps._store import REPORT, Report, Store, of_trial, write


def adopt(store: Store, found: Sweeping, planned: list[Planned]) -> None:
    """Count as done what the run folder of a planned trial calls finished, where no batch tells of the trial.

    What a batch no longer tells of a trial, the plan does.
    """
    for each in planned:
        trial = each.trial
        if trial.id in found.trials and not found.trials[trial.id].trial.config:
            found.trials[trial.id].trial = trial
        if trial.id not in found.trials and trial.folder == of_trial(trial.id) and store.is_finished(trial):
            found.trials[trial.id] = Standing(trial, "done", "", 0, "")


def mend(named: Named, found: Sweeping) -> None:
    """Write again what the other files still tell, and set the rest aside."""
    store = named.store
    for label in store.labels():
        _mend_batch(store, label, found)
    for label in store.gone() - found.live:
        set_aside(store.jobs / f"{label}.id")
    for name in ("stop.json", "failures.jsonl"):
        _remove(store.folder / name)
    for each in found.trials.values():
        if each.state == "done" and each.label and (each.report is None or each.report.state != "done"):
            _note_done(store, each)
    path = store.folder / FILE
    try:
        goal_in(path)
    except DamagedError:
        if not named.guessed:
            if os.path.lexists(path):
                set_aside(path)
            describe(store, named.goal, named.sweep)


def _mend_batch(store: Store, label: str, found: Sweeping) -> None:
    """Write the rows that can be read with the line that is theirs, or with one that says no more than where they are.

    A batch of which jobs are left is theirs to read as it is.
    """
    if label in found.live:
        return
    if store.is_submitted(label) and store.known_number(label) is None and not store.is_unnumbered(label):
        set_aside(store.jobs / f"{label}.id")
    salvaged, path = store.salvaged(label), store.file(label)
    if salvaged.damaged is None:
        return
    set_aside(path)
    if not any(salvaged.rows):
        return
    head = salvaged.head or Batch(label, "", "", plain(Local()), str(Path.cwd()), None, None, None, ())
    write(path, _batch.written(dataclasses.replace(head, jobs=tuple(row or () for row in salvaged.rows))))


def _note_done(store: Store, each: Standing) -> None:
    """Write the report of a trial that its run folder calls finished; what it returned is not known."""
    path = store.at(each.trial) / REPORT
    if each.damaged is not None:
        set_aside(path)
    told = summary(store.at(each.trial)).get("seconds", 0.0)
    seconds = float(told) if 0 <= told < LONGEST else 0.0
    lost = Report("done", each.label, each.code, "", "", seconds=seconds)
    store.set_report(each.trial, dataclasses.replace(each.report or lost, state="done", reason=None))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        set_aside(path)
    else:
        path.unlink(missing_ok=True)
