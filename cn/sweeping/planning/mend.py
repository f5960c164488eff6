"""Repairs of a sweep's folder by `retry`, and trials that a plan knows but no batch file records."""

from __future__ import annotations

import dataclasses
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from cn.errors import CNError
from cn.launching.launch.local import Local
from cn.nodes.node import CN
from cn.nodes.to_json import plain
from cn.run_folder.progress import summary
from cn.run_folder.state_files import LONGEST, DamagedError, set_aside
from cn.sweeping.folder import batches
from cn.sweeping.folder.batches import Batch, Trial
from cn.sweeping.folder.points import Points
from cn.sweeping.folder.standing import Standing, Sweeping
from cn.sweeping.folder.store import REPORT, Report, Store, of_trial, write
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.planning.named import FILE, Named, describe, goal_in
from cn.writing.record import RecordWarning, unplain

if TYPE_CHECKING:
    from cn.sweeping.planning.plan import Planned


def adopt(store: Store, found: Sweeping, planned: list[Planned]) -> list[Planned]:
    """Mark planned trials as done whose run folder is finished, if no batch records them.

    The plan also supplies the configuration that a damaged batch lost. Returns the plan with the ids used in this
    folder.
    """
    planned = _as_submitted(found, planned)
    begun = {path.name for path in store.folder.glob("trials/??/*")}
    for each in planned:
        trial = each.trial
        if trial.id in found.trials and not found.trials[trial.id].trial.config:
            found.trials[trial.id].trial = trial
        its_own = trial.id not in found.trials and trial.folder == of_trial(trial.id)
        if its_own and trial.id in begun and store.is_finished(trial):
            found.trials[trial.id] = Standing(trial, TrialStatus.DONE, "", 0, "")
    return planned


def _as_submitted(found: Sweeping, planned: list[Planned]) -> list[Planned]:
    """Return the plan; a trial that was submitted under an older id, and is the same run, keeps that id and folder.

    Older ids also covered fields such as `gpu`, which say where a run is computed.
    """
    ids = {each.trial.id for each in planned}
    if ids <= found.trials.keys():
        return planned
    others = [each for name, each in found.trials.items() if name not in ids]
    before: dict[str, Trial] = {}
    for each in sorted(others, key=lambda each: each.state == TrialStatus.DONE):  # of several with this id, a done one
        if (now := _identity_now(each.trial)) is not None:
            before[now] = each.trial
    return [
        dataclasses.replace(each, trial=_renamed(each.trial, before[each.trial.id]))
        if each.trial.id in before and each.trial.id not in found.trials
        else each
        for each in planned
    ]


def _renamed(trial: Trial, old: Trial) -> Trial:
    folder = old.folder if trial.folder == of_trial(trial.id) else trial.folder
    return dataclasses.replace(trial, id=old.id, folder=folder)


def _identity_now(trial: Trial) -> str | None:
    """Return the id that a trial would get today; None if its record is no current run."""
    from cn.sweeping.planning.plan import identity  # only here, since a status needs none of it

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RecordWarning)  # the record lacks fields that runs have now
            run = unplain(trial.config) if trial.config else None
        return identity(run, plain(run), trial.words) if isinstance(run, CN) else None
    except (CNError, RecordWarning):
        return None


def forget_failures(store: Store) -> None:
    """Let trials start again after too many failed alike."""
    for name in ("stop.json", "failures.jsonl"):
        _remove(store.folder / name)


def mend(named: Named, found: Sweeping) -> None:
    """Rewrite damaged files from the readable ones, and rename the rest."""
    store = named.store
    for label in store.labels():
        _mend_batch(store, label, found)
    points = Points(store)
    if found.spent:
        with points.locked():
            points.mend()
    for label in store.gone() - found.live:
        set_aside(store.jobs / f"{label}.id")
    for each in found.trials.values():
        if (
            each.state == TrialStatus.DONE
            and each.label
            and (each.report is None or each.report.state != TrialStatus.DONE)
        ):
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
    """Rewrite a damaged batch file with its readable rows, and with its first line or a minimal one.

    A batch with live jobs is left unchanged, since its jobs read the file.
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
    write(path, batches.written(dataclasses.replace(head, jobs=tuple(row or () for row in salvaged.rows))))


def _note_done(store: Store, each: Standing) -> None:
    """Write the report of a trial whose run folder is finished; its returned value is unknown."""
    path = store.at(each.trial) / REPORT
    if each.damaged is not None:
        set_aside(path)
    told = summary(store.at(each.trial)).get("seconds", 0.0)
    seconds = float(told) if 0 <= told < LONGEST else 0.0
    lost = Report(TrialStatus.DONE, each.label, each.code, "", "", seconds=seconds)
    store.set_report(each.trial, dataclasses.replace(each.report or lost, state=TrialStatus.DONE, reason=None))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        set_aside(path)
    else:
        path.unlink(missing_ok=True)
