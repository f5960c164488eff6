"""A batch of jobs, and its file: the first line has the shared fields, each further line the trials of one job."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from cn.run_folder.state_files import DamagedError, built, content, parsed


@dataclass(frozen=True)
class Trial:
    """One run of a sweep, as it was submitted."""

    id: str  # a hash of its composed configuration
    words: tuple[str, ...]  # overrides that distinguish it from the base
    config: dict[str, Any]  # the composed run, by cn.writing.record.plain
    folder: str  # relative to the sweep's folder
    typed: tuple[str, ...] = ()  # all overrides of a trial from the command line
    place: int = 0  # index in the plan of its submission
    past: str = ""  # folder of the trial from whose state it begins
    after: int = 0  # the step of that state
    branches: tuple[int, ...] = ()  # steps after which others go on from this trial


Row = tuple[Trial, ...]  # the trials of one job


@dataclass(frozen=True)
class Batch:
    """Jobs with the same launch, submitted together."""

    label: str  # "0003": its number within the sweep
    snapshot: str  # name of the code snapshot, a folder in code/
    function: str  # "train:train", called by each trial
    launch: dict[str, Any]  # launch of each job, by cn.writing.record.plain
    cwd: str  # working directory of the submission and of the trials
    give_up: int | None  # number of trials that fail alike before no further trial starts
    width: int | None  # maximum of concurrent jobs
    source: str | None  # run folder given with --from
    jobs: tuple[Row, ...]  # the trials of each job
    overrides: tuple[str, ...] = ()  # overrides of the sweep at its submission
    goal: dict[str, Any] | None = None  # goal of the sweep, by cn.writing.record.plain; sweep.json has it too
    name: str | None = None  # name of its jobs in the queue; None in old files: derived from the folder
    makes_folder: bool = True  # whether the function makes the folder of its run itself
    libraries: tuple[str, ...] = ()  # that the processes of its trials need, so that they share them
    home: str | None = None  # path of the sweep's folder at the submission, used by its jobs
    search: dict[str, Any] | None = None  # the sweep, by cn.writing.record.plain, if its jobs search for points

    @property
    def code(self) -> str:
        """The digest of the Python files that its trials may import."""
        return self.snapshot.partition("-")[0]


@dataclass(frozen=True)
class Salvaged:
    """The readable parts of a batch file that may be damaged."""

    head: Batch | None  # the batch without its jobs
    rows: tuple[Row | None, ...]  # trials of each job; None for an unreadable line
    damaged: DamagedError | None  # the first error


def written(batch: Batch) -> str:
    """Return the text of a batch's file."""
    head = {name: value for name, value in vars(batch).items() if name != "jobs"} | {"count": len(batch.jobs)}
    rows = [json.dumps([vars(trial) for trial in job]) for job in batch.jobs]
    return "\n".join([json.dumps(head), *rows]) + "\n"


def head(path: Path) -> Batch:
    """Read a batch without its jobs. Raises DamagedError."""
    line = content(path, line=True)
    if line is None:
        raise FileNotFoundError(path)
    return _head(line, path)


def one_job(path: Path, number: int) -> Batch:
    """Read a batch with only one of its jobs; the other lines may be damaged. Raises DamagedError."""
    first, *rows = _lines(path)
    if number >= len(rows):
        raise DamagedError(path, f"it holds no job {number}")
    return dataclasses.replace(_head(first, path), jobs=(_row(rows[number], path),))


def salvage(path: Path) -> Salvaged:
    """Read the readable parts of a batch."""
    found: Batch | None = None
    rows: list[Row | None] = []
    damaged: DamagedError | None = None
    try:
        first, *others = _lines(path)
    except DamagedError as why:
        return Salvaged(None, (), why)
    try:
        found = _head(first, path)
        if len(others) < (count := _count(first, path)):
            damaged = DamagedError(path, f"it holds {len(others)} of {count} jobs")
    except DamagedError as why:
        damaged = why
    for line in others:
        try:
            rows.append(_row(line, path))
        except DamagedError as why:
            damaged = damaged or why
            rows.append(None)
    return Salvaged(found, tuple(rows), damaged)


def _lines(path: Path) -> list[bytes]:
    """Return all lines, at least one; the last line may be cut short."""
    text = content(path)
    if text is None:
        raise FileNotFoundError(path)
    return text.rstrip(b"\n").split(b"\n")


def _head(line: bytes, path: Path) -> Batch:
    told = parsed(line, path)
    return built(Batch, {**told, "jobs": []} if isinstance(told, dict) else told, path)


def _count(line: bytes, path: Path) -> int:
    """Return the number of jobs in the batch; 0 if an old version did not record it."""
    count = parsed(line, path).get("count", 0)
    if type(count) is not int:
        raise DamagedError(path, f"it holds count={count!r}")
    return count


def _row(line: bytes, path: Path) -> Row:
    several = parsed(line, path)
    if not isinstance(several, list):
        raise DamagedError(path, "it holds a line that is no job")
    return tuple(built(Trial, each, path) for each in cast("list[Any]", several))
