"""A batch of jobs, and its file: what the jobs share in the first line, then the trials of one job a line."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from runs._state_files import DamagedError, built, content, parsed


@dataclass(frozen=True)
class Trial:
    """One run of a sweep, as it was submitted."""

    id: str  # a hash of its composed configuration
    words: tuple[str, ...]  # what sets it apart from the base, as on a command line
    config: dict[str, Any]  # the composed run, by cn.record.plain
    folder: str  # below that of the sweep
    typed: tuple[str, ...] = ()  # all of its overrides, where they were typed
    place: int = 0  # in the plan that it was submitted with


Row = tuple[Trial, ...]  # the trials of one job


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
    jobs: tuple[Row, ...]  # each job's trials
    overrides: tuple[str, ...] = ()  # of the sweep, when it was submitted
    goal: dict[str, Any] | None = None  # of the sweep, by cn.record.plain: sweep.json has it too
    name: str | None = None  # that its jobs bear in the queue; None of an older version: what follows from the folder
    home: str | None = None  # where the sweep's folder was, and its jobs look for it

    @property
    def code(self) -> str:
        """The digest of the Python files that its trials may import."""
        return self.snapshot.partition("-")[0]


@dataclass(frozen=True)
class Salvaged:
    """What can be read of a batch, however damaged its file is."""

    head: Batch | None  # without its jobs
    rows: tuple[Row | None, ...]  # each job's trials; None where its line cannot be read
    damaged: DamagedError | None  # why the rest cannot


def written(batch: Batch) -> str:
    """The text of a batch's file."""
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
    """Read a batch with only one of its jobs, whatever the lines of the others hold. Raises DamagedError."""
    first, *rows = _lines(path)
    if number >= len(rows):
        raise DamagedError(path, f"it holds no job {number}")
    return dataclasses.replace(_head(first, path), jobs=(_row(rows[number], path),))


def salvage(path: Path) -> Salvaged:
    """Read what can be read of a batch."""
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
    """Each line, at least one; a last one that was cut short is told by what it holds."""
    text = content(path)
    if text is None:
        raise FileNotFoundError(path)
    return text.rstrip(b"\n").split(b"\n")


def _head(line: bytes, path: Path) -> Batch:
    told = parsed(line, path)
    return built(Batch, {**told, "jobs": []} if isinstance(told, dict) else told, path)


def _count(line: bytes, path: Path) -> int:
    """How many jobs the batch has; 0 where an older version did not write it down."""
    count = parsed(line, path).get("count", 0)
    if type(count) is not int:
        raise DamagedError(path, f"it holds count={count!r}")
    return count


def _row(line: bytes, path: Path) -> Row:
    several = parsed(line, path)
    if not isinstance(several, list):
        raise DamagedError(path, "it holds a line that is no job")
    return tuple(built(Trial, each, path) for each in cast("list[Any]", several))
