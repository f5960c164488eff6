"""The folder of a sweep: its submissions, and the state of each trial. Every file is written atomically.

sweep.json               the sweep at its last submission
code/DIGEST-OTHERS/      the code of the jobs, copied at a submission
jobs/0003.jsonl          a batch of jobs: the shared fields, then one line per job; written before SLURM is called
jobs/0003.id             the job number from SLURM
jobs/0003.secret         32 bytes with which the nodes of its jobs authenticate, if they have several nodes
jobs/0003.withdrawn      the first line of a batch that the queue did not know when asked
jobs/0003/               the output of the jobs, one file each
trials/ab/abcdef0123/    a trial: its run folder, trial.json, output.txt
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cn.errors import RunError
from cn.files import replacing, sync
from cn.run_folder.folder import write_json
from cn.run_folder.progress import summary
from cn.run_folder.state_files import DamagedError, built, clear, content, make_folder, make_way, parsed
from cn.run_folder.status import is_finished
from cn.screen import say
from cn.sweeping.folder import batches
from cn.sweeping.folder.batches import Batch, Salvaged, Trial
from cn.sweeping.folder.trial_status import TrialStatus

LOG = "output.txt"
REPORT = "trial.json"
BEGUN = ("config.json", "last.pt")  # files of a run that can be resumed
LABEL = re.compile(r"\d+(-[0-9a-f]+)?")  # "0003-1f2e"


@dataclass(frozen=True)
class Report:
    """The content of trial.json: the state of a trial, as its supervisor last wrote it."""

    state: TrialStatus
    label: str  # of its batch
    code: str
    job: str  # "123_4", or the pid on this machine
    host: str
    attempt: int = 1
    started: float = 0.0  # of this attempt, seconds since the epoch
    seconds: float = 0.0  # of all earlier attempts
    value: Any = None  # return value of the function; of a pruned trial, the goal's last value
    status: int | None = None  # exit status; negative: the signal that killed the process
    reason: str | None = None
    saved: float | None = None  # time of the last checkpoint before this attempt
    step: int | None = None  # at which it was pruned

    def goes_on(self, until: int) -> bool:
        """Return whether the trial was pruned, and has been promoted since."""
        return self.state == TrialStatus.PRUNED and self.step is not None and self.step <= until


class Store:
    """A sweep's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs = folder / "jobs"

    def named(self, unique: str) -> str:
        """Return a name for jobs, recognizable by the user."""
        return f"{re.sub(r'[^A-Za-z0-9_.-]', '-', self.folder.absolute().name)[:60]}-{unique}"

    def labels(self) -> list[str]:
        """Return the labels of all batches in order."""
        return sorted(path.stem for path in self.jobs.glob("*.jsonl") if LABEL.fullmatch(path.stem))

    def file(self, label: str) -> Path:
        """Return the file of a batch."""
        return self.jobs / f"{label}.jsonl"

    def secret(self, label: str) -> Path:
        """Return the file with the secret of a batch whose jobs have several nodes."""
        return self.jobs / f"{label}.secret"

    def set_aside(self) -> set[str]:
        """Return the labels of batches whose unreadable files were renamed."""
        return {path.name.partition(".")[0] for path in self.jobs.glob("*.jsonl.damaged*")}

    def gone(self) -> set[str]:
        """Return the labels of batches that have a job number but no file."""
        numbered = {path.stem for path in self.jobs.glob("*.id") if LABEL.fullmatch(path.stem)}
        return numbered.difference(self.labels(), self.set_aside(), (each.label for each in self.withdrawn()))

    def knows(self, label: str) -> bool:
        """Return whether any file of a batch exists."""
        names = (f"{label}.jsonl", f"{label}.id", f"{label}.withdrawn", label)
        return any(os.path.lexists(self.jobs / name) for name in names)

    def head(self, label: str) -> Batch:
        """Return a batch without its jobs."""
        return batches.head(self.file(label))

    def heads(self) -> dict[str, Batch]:
        """Return the batches whose first line is readable, without their jobs, in order."""
        found: dict[str, Batch] = {}
        for label in self.labels():
            with suppress(DamagedError, FileNotFoundError):
                found[label] = self.head(label)
        return found

    def one_job(self, label: str, number: int) -> Batch:
        """Return a batch with only one of its jobs; the other jobs are not parsed."""
        return batches.one_job(self.file(label), number)

    def salvaged(self, label: str) -> Salvaged:
        """Return the readable parts of a batch."""
        return batches.salvage(self.file(label))

    def add(self, batch: Batch) -> None:
        """Record a batch that is about to be submitted."""
        write(self.file(batch.label), batches.written(batch))

    def withdrawn(self) -> list[Batch]:
        """Return the withdrawn batches, without their jobs, as far as readable."""
        found = (batches.salvage(path).head for path in sorted(self.jobs.glob("*.withdrawn")))
        return [head for head in found if head is not None]

    def drop(self, label: str, *, refused: bool = False) -> None:
        """Withdraw a batch that the queue does not know; if a job of it starts anyway, it ends at once.

        refused: the queue itself rejected the batch, so that no job can start.
        """
        path = self.file(label)
        self.secret(label).unlink(missing_ok=True)
        if refused:
            path.unlink(missing_ok=True)
        else:  # needs no space on the disk
            gone = path.replace(path.with_suffix(".withdrawn"))
            os.truncate(gone, gone.read_bytes().find(b"\n") + 1)
        with suppress(OSError):  # a folder with output is kept
            (self.jobs / label).rmdir()

    def number(self, label: str) -> str | None:
        """Return the job number of a batch; None if it is not known to be submitted. Raises DamagedError."""
        path = self.jobs / f"{label}.id"
        text = content(path)
        if text is None:
            return None
        if not text.strip().isdigit() or not text.endswith(b"\n"):
            raise DamagedError(path, "it holds no number of a job")
        return text.decode().strip()

    def known_number(self, label: str) -> str | None:
        """Return the job number of a batch, or None if it is unreadable."""
        try:
            return self.number(label)
        except DamagedError:
            return None

    def is_submitted(self, label: str) -> bool:
        """Return whether the queue gave the batch a number, even if it is unreadable now."""
        return os.path.lexists(self.jobs / f"{label}.id") or self.is_unnumbered(label)

    def is_unnumbered(self, label: str) -> bool:
        """Return whether the unreadable file of its number was renamed."""
        return os.path.lexists(self.jobs / f"{label}.id.damaged")

    def set_number(self, label: str, number: str) -> None:
        write(self.jobs / f"{label}.id", number + "\n")

    def over(self) -> set[str]:
        """Return the labels of cancelled batches."""
        return {path.stem for path in self.jobs.glob("*.cancelled")}

    def set_over(self, label: str) -> None:
        write(self.jobs / f"{label}.cancelled", "")

    def unset_over(self, label: str) -> None:
        (self.jobs / f"{label}.cancelled").unlink(missing_ok=True)

    def printed(self, label: str, job: int) -> Path:
        """Return the output file of a job; on this machine one process runs all jobs of a batch."""
        own = self.jobs / label / f"{job}.out"
        return own if os.path.exists(own) else self.jobs / label / "0.out"

    def at(self, trial: Trial) -> Path:
        return self.folder / trial.folder

    def report(self, trial: Trial) -> Report | None:
        """Return the report of a trial; None if it has not begun. Raises DamagedError."""
        return self.report_in(self.at(trial))

    def report_in(self, folder: Path) -> Report | None:
        """Return the report in a trial's folder; None if it is missing. Raises DamagedError."""
        path = folder / REPORT
        text = content(path)
        if text is None:
            return None
        report = built(Report, parsed(text, path), path)
        if isinstance(report.value, (dict, list)):
            raise DamagedError(path, "it holds a value that no trial has")
        return report

    def known_report(self, trial: Trial) -> Report | None:
        """Return the report of a trial, or None if it is unreadable."""
        try:
            return self.report(trial)
        except DamagedError:
            return None

    def is_finished(self, trial: Trial) -> bool:
        """Return whether the summary of the trial's run says that it ended with a result."""
        return self.is_finished_in(self.at(trial))

    def is_finished_in(self, folder: Path) -> bool:
        """Return whether the summary of the run in a trial's folder says that it ended with a result."""
        return is_finished(summary(folder))

    def is_done_unsaid(self, trial: Trial, report: Report | None) -> bool:
        """Return whether the trial's run is finished although no report says how the trial ended.

        The report was lost, or its process was killed before it could update the report.
        """
        return (report is None or report.state.is_alive) and self.is_finished(trial)

    def set_report(self, trial: Trial, report: Report) -> None:
        """Write the report atomically; on a full disk in place, so that the final state of a trial is not lost."""
        write_json(self.at(trial) / REPORT, asdict(report))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder: one submission at a time; the kernel releases the lock with the process."""
        with self.written():
            for each in (self.folder / "code", self.folder / "trials", self.jobs):
                if os.path.lexists(each):
                    make_folder(each)
            make_folder(self.jobs)
            clear(self.folder / ".lock")
            lock = (self.folder / ".lock").open("w")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"another process is submitting to {self.folder}: this one waits for it", error=True)
                fcntl.flock(lock, fcntl.LOCK_EX)
            except OSError as error:
                what = f"{self.folder} cannot be locked, so two processes could submit to it: {error.strerror}"
                raise RunError(what, "choose a folder on another file system: folder=PATH") from None
            yield

    @contextmanager
    def written(self) -> Iterator[None]:
        """Raise RunError if a write fails."""
        try:
            yield
        except OSError as error:
            what = f"cannot write to {self.folder}: {error.strerror or error}"
            raise RunError(what, "to put the sweep elsewhere: folder=PATH") from None


def of_trial(folder_id: str) -> str:
    """Return a trial's path in the sweep's folder, nested so that no folder holds more than 1000 trials."""
    return f"trials/{folder_id[:2]}/{folder_id}"


def write(path: Path, text: str) -> None:
    """Write a file atomically and sync it to the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as beside:
        beside.write_bytes(text.encode(errors="surrogateescape"))
        make_way(path)
    sync(path.parent)
