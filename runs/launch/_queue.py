"""What every place that runs jobs can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Jobs:
    """Jobs alike in what they need: each runs one command, and knows which of them it is."""

    name: str  # that all jobs of a sweep bear, and no other job does
    label: str  # of this batch, which is found again by it
    words: tuple[str, ...]  # after `python`
    environment: dict[str, str]
    count: int
    folder: Path  # where they print to, and what was submitted is kept; new
    at_once: int | None = None  # of these jobs; None: as many as there is room for
    after: tuple[str, ...] = ()  # numbers of batches that must be over before


@dataclass(frozen=True)
class Job:
    """One of them that is not over."""

    label: str
    index: int | None  # None: the queue tells no more than that some of the batch wait
    number: str  # of its batch
    state: Literal["pending", "running"]
    reason: str = ""  # why it is pending, in the queue's own word
    held: str = ""  # who holds it back while it is pending, and how it is released


MOST = 999  # jobs in a batch whose folder they print to: with the script it holds no more than 1000 files

Why = Literal["preempted", "requeued", "time", "cancelled", "unknown"]


@dataclass(frozen=True)
class Here:
    """The job that this process is in."""

    index: int | None  # among those of its batch; None: all of them, by this one process
    number: str  # "123_4"
    host: str
    restarts: int = 0  # how often the queue started it before
    node: int = 0  # among those of the job, on each of which such a process runs
    first: tuple[str, ...] = ()  # addresses of the first of them, as the others may reach it
    environments: list[dict[str, str]] = field(default_factory=lambda: [{}])  # of the trials that run at once


class Queue(ABC):
    """Takes jobs and knows how they stand. Raises RunError where it does not answer."""

    pack: int = 1  # trials that share a job
    nodes: int = 1  # of each job
    processes: int = 1  # of each trial, on each node
    parallel: int | None = None  # jobs at once, of all of a sweep's batches; None: as many as there is room for

    @abstractmethod
    def submit(self, jobs: Jobs) -> str:
        """Queue them and return at once; the number of the batch."""

    @abstractmethod
    def jobs(self, name: str, folder: Path) -> list[Job]:
        """Those of a sweep that are not over, by one question; `folder` is where its batches' folders are."""

    @abstractmethod
    def ended(self, numbers: list[str]) -> dict[str, str]:
        """Why jobs ("123_4") that ended without a word did so; those that nothing is known about are left out.

        Raises RunError where one has not ended.
        """

    @abstractmethod
    def cancel(self, name: str, folder: Path) -> None:
        """End the jobs of a sweep."""

    @abstractmethod
    def most(self) -> int:
        """Jobs in one batch."""

    @abstractmethod
    def here(self) -> Here:
        """The job that this process is in."""

    @abstractmethod
    def why(self) -> Why:
        """What a SIGTERM to the job that this process is in means."""

    @abstractmethod
    def requeue(self) -> None:
        """Put the job that this process is in back into the queue, and end it here."""
