"""A job's records of its trials: begin, end, and failures that stop the sweep."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from cn import screen
from cn.files import remove_unfinished
from cn.launching.queue import Here, Why
from cn.run_folder.state_files import DamagedError, clear
from cn.sweeping.folder.batches import Batch, Trial
from cn.sweeping.folder.points import Points
from cn.sweeping.folder.stop import stopped
from cn.sweeping.folder.store import REPORT, Report, Store, write
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.job.reporter import SUMMARY, curve_of
from cn.writing.record import FILE as CONFIG


class Notes:
    """Writes reports; a full disk loses a report but does not end the trials."""

    def __init__(self, store: Store, batch: Batch, here: Here) -> None:
        self.store, self.batch, self.here = store, batch, here

    def write(self, trial: Trial, report: Report) -> None:
        self.down(lambda: self.store.set_report(trial, report))

    def down(self, write: Callable[[], object]) -> None:
        """Call `write`; on a full disk, complain in the job's own output and go on."""
        try:
            write()
        except OSError as error:
            complain(f"cannot write to {self.store.folder}: {error}")

    def is_over(self, trial: Trial) -> bool:
        """Return whether the trial is done, or failed or was pruned in this batch, which the queue has restarted.

        A trial whose run folder is finished is done, even if its report was lost.
        """
        report = self.store.known_report(trial)
        if report is None or report.state.is_alive:
            return self.store.is_done_unsaid(trial, report)
        if report.state == TrialStatus.PRUNED:
            owner = Points(self.store).owners().get(trial.id)
            if owner is not None and report.goes_on(owner.until):
                return False
        ended = report.state in (TrialStatus.FAILED, TrialStatus.PRUNED) and report.label == self.batch.label
        return ended or report.state == TrialStatus.DONE

    def begins(self, trial: Trial) -> Report:
        """Return the report of the next attempt, not yet written; no process of an earlier one may live."""
        remove_unfinished(self.store.at(trial), REPORT, CONFIG, SUMMARY)
        before = self.store.known_report(trial)
        return Report(
            state=TrialStatus.RUNNING,
            label=self.batch.label,
            code=self.batch.code,
            job=self.here.number,
            host=self.here.host,
            attempt=before.attempt + 1 if before else 1,
            started=time.time(),
            seconds=before.seconds if before else 0.0,
            saved=saved(self.store.at(trial)),
        )

    def refuse(self, trial: Trial, reason: str) -> None:
        """Record that the trial cannot begin."""
        batch, here = self.batch, self.here
        failed = Report(TrialStatus.FAILED, batch.label, batch.code, here.number, here.host, reason=reason)
        if not self.is_over(trial):
            before = self.store.known_report(trial) or failed
            self.store.at(trial).mkdir(parents=True, exist_ok=True)
            self.write(trial, replace(failed, attempt=before.attempt, seconds=before.seconds))

    def interrupted(self, trial: Trial, report: Report, why: Why | None, *, whole: bool) -> Report:
        """Return the report of an interrupted trial. whole: it had all of its job's time."""
        if why not in ("preempted", "requeued", "time"):
            return replace(report, state=TrialStatus.CANCELLED, reason="cancelled")
        if why == "time" and whole and saved(self.store.at(trial)) == report.saved:
            reason = "its time limit ended it before it had saved anything to go on from"
            return replace(report, state=TrialStatus.FAILED, reason=reason)
        return replace(report, state=TrialStatus.WAITING, reason="time limit" if why == "time" else "preempted")

    def waiting(self) -> list[Trial]:
        """Return the job's trials that were interrupted and wait for the requeued job."""
        trials = [trial for job in self.batch.jobs for trial in job]
        if self.batch.search is not None:
            trials += Points(self.store).of_job(self.batch.label, self.here.index)
        return [trial for trial in trials if self._waits(trial)]

    def last(self, trial: Trial) -> tuple[int | None, float | None]:
        """Return the step and the value that a trial reported last."""
        return max(curve_of(self.store.at(trial)).items(), default=(None, None))

    def lost(self, trial: Trial, error: Exception) -> None:
        """Record that an interrupted trial cannot resume, since its job could not be requeued."""
        if (report := self.store.known_report(trial)) is not None:
            reason = f"it was interrupted, and could not be queued again: {error}".partition("\n")[0]
            self.write(trial, replace(report, state=TrialStatus.FAILED, reason=reason))

    def count(self, report: Report, answer: dict[str, Any]) -> None:
        """Count an exception; the same one in `give_up` trials stops the rest of the sweep.

        A run that diverges does not count: other values may train well.
        """
        if self.batch.give_up is None or not answer.get("reason") or answer.get("diverged"):
            return
        path = self.store.folder / "failures.jsonl"
        line = json.dumps({"code": report.code, "reason": report.reason})
        clear(path)
        with path.open("a") as file:
            file.write(f"{line}\n")
        count = path.read_bytes().split(b"\n").count(line.encode())
        if count >= self.batch.give_up:
            stop = {"reason": report.reason, "count": count, "code": report.code}
            write(self.store.folder / "stop.json", json.dumps(stop) + "\n")

    def is_stopped(self) -> bool:
        """Return whether too many trials of the same code failed alike, so that no further trial starts."""
        with contextlib.suppress(DamagedError):  # `status` reports the damaged file
            stop = stopped(self.store)
            return stop is not None and stop.holds(self.batch.code, self.batch.give_up)
        return False

    def _waits(self, trial: Trial) -> bool:
        report = self.store.known_report(trial)
        return report is not None and report.state == TrialStatus.WAITING and report.label == self.batch.label


def complain(text: str) -> None:
    """Print to the job's own output, which may be on the same full disk."""
    with contextlib.suppress(OSError):
        screen.say(text, error=True)


def add(log: IO[bytes], text: str) -> None:
    """Append a text to the trial's own log."""
    log.write(f"{text}\n".encode())
    log.flush()


def saved(folder: Path) -> float | None:
    """Return the time of the last checkpoint, or None."""
    try:
        return (folder / "last.pt").stat().st_mtime
    except FileNotFoundError:
        return None
