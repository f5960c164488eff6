"""The interface of every queue that runs jobs."""

from __future__ import annotations

import signal
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Jobs:
    """A job array: each job runs the same command and knows its index."""

    name: str  # shared by all jobs of a sweep, and by no other job
    label: str  # identifies this batch in the queue
    words: tuple[str, ...]  # after `python`
    environment: dict[str, str]
    count: int
    folder: Path  # a new folder for their output and the submission script
    at_once: int | None = None  # maximum of concurrent jobs; None: no limit
    after: tuple[str, ...] = ()  # numbers of batches that must end first


@dataclass(frozen=True)
class Job:
    """A job that is not over."""

    label: str
    index: int | None  # None: the queue only says that some of the batch are pending
    number: str  # of its batch
    state: Literal["pending", "running"]
    reason: str = ""  # why it is pending, in the queue's own word
    held: str = ""  # who holds it, and how to release it


PAUSE = 1.0  # s between two queries of a command that waits
MOST = 999  # jobs per batch: their folder holds at most 1000 files with the script

Why = Literal["preempted", "requeued", "time", "cancelled", "unknown"]


@dataclass(frozen=True)
class Here:
    """The job of this process."""

    index: int | None  # index in the batch; None: this process runs all jobs
    number: str  # "123_4"
    host: str
    restarts: int = 0  # number of earlier starts by the queue
    node: int = 0  # index of this node in the job; each node runs such a process
    first: tuple[str, ...] = ()  # addresses of the first node, for the other nodes
    environments: list[dict[str, str]] = field(default_factory=lambda: [{}])  # one per concurrent trial
    groups: tuple[str, ...] = ()  # of GPUs: a trial takes one that no other batch uses; (): that of its environment


class Queue(ABC):
    """Takes jobs and reports their states. Raises RunError if the queue does not answer."""

    pack: int = 1  # trials per job
    nodes: int = 1  # nodes per job
    processes: int = 1  # processes of each trial, per node
    parallel: int | None = None  # maximum of concurrent jobs in all batches of a sweep; None: no limit

    @abstractmethod
    def submit(self, jobs: Jobs) -> str:
        """Queue the jobs without waiting; return the number of the batch."""

    def run(self, jobs: Jobs) -> int:
        """Submit the jobs and wait until they are over; return the exit status, above 128 after Ctrl-C."""
        self.submit(jobs)
        try:
            self._wait(jobs)
        except KeyboardInterrupt:
            self.cancel(jobs.name, jobs.folder.parent)
            self._wait(jobs)  # until their checkpoints are saved
            return 128 + signal.SIGINT
        return 0

    def _wait(self, jobs: Jobs) -> None:
        while self.jobs(jobs.name, jobs.folder.parent):
            time.sleep(PAUSE)

    @abstractmethod
    def jobs(self, name: str, folder: Path) -> list[Job]:
        """Return the live jobs of a sweep with one query; `folder` contains the folders of its batches."""

    @abstractmethod
    def ended(self, numbers: list[str]) -> dict[str, str]:
        """Return why jobs ("123_4") ended that left no report; jobs that the queue does not know are left out.

        Raises RunError if a job has not ended.
        """

    @abstractmethod
    def cancel(self, name: str, folder: Path) -> None:
        """Cancel the jobs of a sweep."""

    @abstractmethod
    def most(self) -> int:
        """Return the maximum number of jobs in one batch."""

    @abstractmethod
    def here(self) -> Here:
        """Return the job of this process."""

    @abstractmethod
    def why(self) -> Why:
        """Return why this process's job received SIGTERM."""

    @abstractmethod
    def requeue(self) -> None:
        """Requeue this process's job, which ends it here."""
