"""The folder of a sweep: what was submitted, and how each trial stands. All of it is written whole or not at all.

sweep.json               the sweep as it was last submitted
code/DIGEST-OTHERS/      the code that jobs run, as it was at a submission
jobs/0003.jsonl          a batch of jobs alike: what they share, then one line a job; written before SLURM is asked
jobs/0003.id             the number that SLURM gave it
jobs/0003.secret         of 32 bytes, where its jobs have several nodes, which know each other by it
jobs/0003.withdrawn      the first line of a batch that the queue did not know, and may have come to know since
jobs/0003/               what the jobs themselves printed, one file each
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
from typing import Any, Literal

from cn import RunError
from cn.errors import lines
from cn.screen import say
from runs._folder import write_json
from runs._progress import summary
from runs._state_files import DamagedError, built, clear, content, make_folder, parsed, replace
from sweeps import _batch
from sweeps._batch import Batch, Salvaged, Trial

State = Literal["new", "queued", "running", "waiting", "done", "failed", "cancelled", "stopped", "damaged"]
LOG = "output.txt"
REPORT = "trial.json"
BEGUN = ("config.json", "last.pt")  # of a run that is there: it goes on
LABEL = re.compile(r"\d+(-[0-9a-f]+)?")  # "0003-1f2e"


@dataclass(frozen=True)
class Report:
    """How a trial stands, as the process that runs it last wrote it: trial.json."""

    state: State
    label: str  # of the batch that it ran in
    code: str
    job: str  # "123_4", or that of the process on this machine
    host: str
    attempt: int = 1
    started: float = 0.0  # of this attempt, seconds since the epoch
    seconds: float = 0.0  # of all attempts that are over
    value: Any = None  # what the function returned
    status: int | None = None  # of its process; negative: the signal that killed it
    reason: str | None = None
    saved: float | None = None  # when its last checkpoint before this attempt was written


class Store:
    """A sweep's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs = folder / "jobs"

    def named(self, unique: str) -> str:
        """A name for jobs, by which a user knows them too."""
        return f"{re.sub(r'[^A-Za-z0-9_.-]', '-', self.folder.absolute().name)[:60]}-{unique}"

    def labels(self) -> list[str]:
        """Of all batches, in their order."""
        return sorted(path.stem for path in self.jobs.glob("*.jsonl") if LABEL.fullmatch(path.stem))

    def file(self, label: str) -> Path:
        """The file of a batch."""
        return self.jobs / f"{label}.jsonl"

    def secret(self, label: str) -> Path:
        """The file by which the nodes of a batch's jobs know each other, where these have several."""
        return self.jobs / f"{label}.secret"

    def set_aside(self) -> set[str]:
        """The labels of the batches whose files were set aside, as nothing in them could be read."""
        return {path.name.partition(".")[0] for path in self.jobs.glob("*.jsonl.damaged*")}

    def gone(self) -> set[str]:
        """The labels of the batches that were given a number, and whose files are not there any more."""
        numbered = {path.stem for path in self.jobs.glob("*.id") if LABEL.fullmatch(path.stem)}
        return numbered.difference(self.labels(), self.set_aside(), (each.label for each in self.withdrawn()))

    def knows(self, label: str) -> bool:
        """Whether anything is left of a batch."""
        names = (f"{label}.jsonl", f"{label}.id", f"{label}.withdrawn", label)
        return any(os.path.lexists(self.jobs / name) for name in names)

    def head(self, label: str) -> Batch:
        """A batch without its jobs."""
        return _batch.head(self.file(label))

    def heads(self) -> dict[str, Batch]:
        """The batches that say what their jobs share, without their jobs, in their order."""
        found: dict[str, Batch] = {}
        for label in self.labels():
            with suppress(DamagedError, FileNotFoundError):
                found[label] = self.head(label)
        return found

    def one_job(self, label: str, number: int) -> Batch:
        """A batch with only one of its jobs; the others are not read."""
        return _batch.one_job(self.file(label), number)

    def salvaged(self, label: str) -> Salvaged:
        """A batch, as far as it can be read."""
        return _batch.salvage(self.file(label))

    def add(self, batch: Batch) -> None:
        """Write down what is about to be submitted."""
        write(self.file(batch.label), _batch.written(batch))

    def withdrawn(self) -> list[Batch]:
        """The batches that were dropped, without their jobs, as far as they can be read."""
        found = (_batch.salvage(path).head for path in sorted(self.jobs.glob("*.withdrawn")))
        return [head for head in found if head is not None]

    def drop(self, label: str, *, refused: bool = False) -> None:
        """Withdraw a batch that the queue does not know; a job of it that comes all the same ends at once.

        refused: the queue has said itself that it has not taken it, so that none can come.
        """
        path = self.file(label)
        self.secret(label).unlink(missing_ok=True)
        if refused:
            path.unlink(missing_ok=True)
        else:  # which needs no room on the disk
            gone = path.replace(path.with_suffix(".withdrawn"))
            os.truncate(gone, gone.read_bytes().find(b"\n") + 1)
        with suppress(OSError):  # where anything was printed, it is kept
            (self.jobs / label).rmdir()

    def number(self, label: str) -> str | None:
        """That the queue gave a batch; None where it is not known to have been submitted. Raises DamagedError."""
        path = self.jobs / f"{label}.id"
        text = content(path)
        if text is None:
            return None
        if not text.strip().isdigit() or not text.endswith(b"\n"):
            raise DamagedError(path, "it holds no number of a job")
        return text.decode().strip()

    def known_number(self, label: str) -> str | None:
        """The same, and None where that cannot be read."""
        try:
            return self.number(label)
        except DamagedError:
            return None

    def is_submitted(self, label: str) -> bool:
        """Whether the queue gave it a number, though that may not be readable any more."""
        return os.path.lexists(self.jobs / f"{label}.id") or self.is_unnumbered(label)

    def is_unnumbered(self, label: str) -> bool:
        """Whether the file of its number was set aside."""
        return os.path.lexists(self.jobs / f"{label}.id.damaged")

    def set_number(self, label: str, number: str) -> None:
        write(self.jobs / f"{label}.id", number + "\n")

    def over(self) -> set[str]:
        """The labels of the batches that were cancelled."""
        return {path.stem for path in self.jobs.glob("*.cancelled")}

    def set_over(self, label: str) -> None:
        write(self.jobs / f"{label}.cancelled", "")

    def unset_over(self, label: str) -> None:
        (self.jobs / f"{label}.cancelled").unlink(missing_ok=True)

    def printed(self, label: str, job: int) -> Path:
        """What a job of a batch has printed; on this machine one process is all of them."""
        own = self.jobs / label / f"{job}.out"
        return own if os.path.exists(own) else self.jobs / label / "0.out"

    def at(self, trial: Trial) -> Path:
        return self.folder / trial.folder

    def report(self, trial: Trial) -> Report | None:
        """None for a trial that has not begun. Raises DamagedError."""
        return self.report_in(self.at(trial))

    def report_in(self, folder: Path) -> Report | None:
        """The same of a trial's folder."""
        path = folder / REPORT
        text = content(path)
        if text is None:
            return None
        report = built(Report, parsed(text, path), path)
        if isinstance(report.value, (dict, list)):
            raise DamagedError(path, "it holds a value that no trial has")
        return report

    def known_report(self, trial: Trial) -> Report | None:
        """The same, and None where that cannot be read."""
        try:
            return self.report(trial)
        except DamagedError:
            return None

    def is_finished(self, trial: Trial) -> bool:
        """Whether the trial's run says that it has ended with a result, whoever else knows of it."""
        return summary(self.at(trial)).get("state") == "finished"

    def set_report(self, trial: Trial, report: Report) -> None:
        """Whole or not at all; on a full disk in place, so that the last word of a trial is not lost."""
        write_json(self.at(trial) / REPORT, asdict(report))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One submission at a time; the kernel ends it with the process."""
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
            yield

    @contextmanager
    def written(self) -> Iterator[None]:
        """RunError for what cannot be written here."""
        try:
            yield
        except OSError as error:
            what = f"cannot write to {self.folder}: {error.strerror or error}"
            raise RunError(lines(what, "to put the sweep elsewhere: folder=PATH")) from None


def of_trial(folder_id: str) -> str:
    """Where a trial lies in its sweep's folder: so that no folder holds more than 1000 of them."""
    return f"trials/{folder_id[:2]}/{folder_id}"


def write(path: Path, text: str) -> None:
    """Whole or not at all, and on the disk when it returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
