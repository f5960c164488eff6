"""The folder of a sweep: what was submitted, and how each trial stands. All of it is written whole or not at all.

sweep.json               the sweep as it was last submitted
code/DIGEST-OTHERS/      the code that jobs run, as it was at a submission
jobs/0003.jsonl          a batch of jobs alike: what they share, then one line a job; written before SLURM is asked
jobs/0003.id             the number that SLURM gave it
jobs/0003/               what the jobs themselves printed, one file each
trials/ab/abcdef0123/    a trial: its run folder, trial.json, output.txt
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from cn import RunError
from cn.errors import lines
from cn.screen import say
from runs._folder import write_json

State = Literal["new", "queued", "running", "waiting", "done", "failed", "cancelled", "stopped"]
LOG = "output.txt"


@dataclass(frozen=True)
class Trial:
    """One run of a sweep, as it was submitted."""

    id: str  # a hash of its composed configuration
    words: tuple[str, ...]  # what sets it apart from the base, as on a command line
    config: dict[str, Any]  # the composed run, by cn.record.plain
    folder: str  # below that of the sweep
    typed: tuple[str, ...] = ()  # all of its overrides, where they were typed
    place: int = 0  # in the plan that it was submitted with


@dataclass(frozen=True)
class Batch:
    """Jobs alike in what they need, submitted together."""

    label: str  # "0003", its place among those of its sweep
    snapshot: str  # of the code that it runs, a folder in code/
    function: str  # "train:train", which each trial calls
    launch: dict[str, Any]  # what each job needs, by cn.record.plain
    cwd: str  # where the submission was typed, and where trials run
    give_up: int | None  # trials that fail for the same reason before no other is started
    width: int | None  # of its jobs that run at once
    source: str | None  # the run folder that all of it came from, with --from
    jobs: tuple[tuple[Trial, ...], ...]  # each job's trials
    overrides: tuple[str, ...] = ()  # of the sweep, when it was submitted

    @property
    def code(self) -> str:
        """The digest of the Python files that its trials may import."""
        return self.snapshot.partition("-")[0]


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

    @property
    def name(self) -> str:
        """That all of its jobs bear, and those of no other folder."""
        where = hashlib.sha256(str(self.folder.absolute()).encode()).hexdigest()[:6]
        return f"{re.sub(r'[^A-Za-z0-9_.-]', '-', self.folder.name)[:60]}-{where}"

    def labels(self) -> list[str]:
        """Of all batches, in their order."""
        return sorted(path.stem for path in self.jobs.glob("*.jsonl"))

    def head(self, label: str) -> Batch:
        """A batch without its jobs."""
        with (self.jobs / f"{label}.jsonl").open() as file:
            return Batch(**json.loads(next(file)), jobs=())

    def batch(self, label: str) -> Batch:
        with (self.jobs / f"{label}.jsonl").open() as file:
            head = json.loads(next(file))
            return Batch(**head, jobs=tuple(_trials(line) for line in file))

    def one_job(self, label: str, number: int) -> Batch:
        """A batch with only one of its jobs; the others are not read."""
        with (self.jobs / f"{label}.jsonl").open() as file:
            head = json.loads(next(file))
            return Batch(**head, jobs=(_trials(next(islice(file, number, None))),))

    def add(self, batch: Batch) -> None:
        """Write down what is about to be submitted."""
        head = {name: value for name, value in vars(batch).items() if name != "jobs"}
        rows = [json.dumps([vars(trial) for trial in job]) for job in batch.jobs]
        write(self.jobs / f"{batch.label}.jsonl", "\n".join([json.dumps(head), *rows]) + "\n")

    def drop(self, label: str) -> None:
        """Forget a batch that was never submitted; a job of it that starts all the same ends at once."""
        (self.jobs / f"{label}.jsonl").unlink(missing_ok=True)
        with suppress(OSError):  # where anything was printed, it is kept
            (self.jobs / label).rmdir()

    def number(self, label: str) -> str | None:
        """That the queue gave a batch; None where it is not known to have been submitted."""
        try:
            return (self.jobs / f"{label}.id").read_text().strip()
        except FileNotFoundError:
            return None

    def set_number(self, label: str, number: str) -> None:
        write(self.jobs / f"{label}.id", number + "\n")

    def over(self) -> set[str]:
        """The labels of the batches that were cancelled."""
        return {path.stem for path in self.jobs.glob("*.cancelled")}

    def set_over(self, label: str) -> None:
        write(self.jobs / f"{label}.cancelled", "")

    def printed(self, label: str, job: int) -> Path:
        """What a job of a batch has printed; on this machine one process is all of them."""
        own = self.jobs / label / f"{job}.out"
        return own if own.exists() else self.jobs / label / "0.out"

    def at(self, trial: Trial) -> Path:
        return self.folder / trial.folder

    def report(self, trial: Trial) -> Report | None:
        """None for a trial that has not begun."""
        try:
            return Report(**json.loads((self.at(trial) / "trial.json").read_bytes()))
        except FileNotFoundError:
            return None

    def set_report(self, trial: Trial, report: Report) -> None:
        """Whole or not at all; on a full disk in place, so that the last word of a trial is not lost."""
        write_json(self.at(trial) / "trial.json", asdict(report))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One submission at a time; the kernel ends it with the process."""
        with self.written():
            self.jobs.mkdir(parents=True, exist_ok=True)
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
        with partial.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _trials(line: str) -> tuple[Trial, ...]:
    several: list[dict[str, Any]] = json.loads(line)
    return tuple(Trial(**{**each, "words": tuple(each["words"]), "typed": tuple(each["typed"])}) for each in several)
