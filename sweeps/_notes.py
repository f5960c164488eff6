"""What a job writes down of its trials: that they began, how they ended, and what others are to know of that."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from cn import screen
from runs._state_files import clear
from runs.launch._queue import Here, Why
from sweeps._batch import Batch, Trial
from sweeps._standing import ALIVE
from sweeps._store import Report, Store, write


class Notes:
    """On a full disk nothing is written, and the trials go on."""

    def __init__(self, store: Store, batch: Batch, here: Here) -> None:
        self.store, self.batch, self.here = store, batch, here

    def write(self, trial: Trial, report: Report) -> None:
        self.down(lambda: self.store.set_report(trial, report))

    def down(self, write: Callable[[], object]) -> None:
        """A full disk does not end the other trials; what is said of it is in the job's own output."""
        try:
            write()
        except OSError as error:
            complain(f"cannot write to {self.store.folder}: {error}")

    def is_over(self, trial: Trial) -> bool:
        """Whether it is done, or failed in this very batch, which the queue has begun again.

        What its run folder calls finished is done, though its report was lost.
        """
        report = self.store.known_report(trial)
        if report is None or report.state in ALIVE:  # lost, or of a process that did not live to say more
            return self.store.is_finished(trial)
        return report.state == "done" or (report.state == "failed" and report.label == self.batch.label)

    def begins(self, trial: Trial) -> Report:
        """The report of another attempt, not yet written."""
        before = self.store.known_report(trial)
        return Report(
            state="running",
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
        """It cannot be begun."""
        batch, here = self.batch, self.here
        failed = Report("failed", batch.label, batch.code, here.number, here.host, reason=reason)
        if not self.is_over(trial):
            before = self.store.known_report(trial) or failed
            self.store.at(trial).mkdir(parents=True, exist_ok=True)
            self.write(trial, replace(failed, attempt=before.attempt, seconds=before.seconds))

    def interrupted(self, trial: Trial, report: Report, why: Why | None, *, whole: bool) -> Report:
        """The report of a trial that was asked to end. whole: it had all of its job's time."""
        if why not in ("preempted", "requeued", "time"):
            return replace(report, state="cancelled", reason="cancelled")
        if why == "time" and whole and saved(self.store.at(trial)) == report.saved:
            reason = "its time limit ended it before it had saved anything to go on from"
            return replace(report, state="failed", reason=reason)
        return replace(report, state="waiting", reason="time limit" if why == "time" else "preempted")

    def waiting(self) -> list[Trial]:
        """Those of the job that have begun and wait for its next time."""
        return [trial for job in self.batch.jobs for trial in job if self._waits(trial)]

    def lost(self, trial: Trial, error: Exception) -> None:
        """It waits for nothing: the job could not be queued again."""
        if (report := self.store.known_report(trial)) is not None:
            reason = f"it was interrupted, and could not be queued again: {error}".partition("\n")[0]
            self.write(trial, replace(report, state="failed", reason=reason))

    def count(self, report: Report, answer: dict[str, Any]) -> None:
        """The same exception in so many trials stops the rest of the sweep."""
        if self.batch.give_up is None or not answer.get("reason"):
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

    def _waits(self, trial: Trial) -> bool:
        report = self.store.known_report(trial)
        return report is not None and report.state == "waiting" and report.label == self.batch.label


def complain(text: str) -> None:
    """In the job's own output, which may be on the same full disk."""
    with contextlib.suppress(OSError):
        screen.say(text, error=True)


def add(log: IO[bytes], text: str) -> None:
    """To what the trial itself has printed."""
    log.write(f"{text}\n".encode())
    log.flush()


def saved(folder: Path) -> float | None:
    """When the last checkpoint was written."""
    try:
        return (folder / "last.pt").stat().st_mtime
    except FileNotFoundError:
        return None
