"""The states of a trial: those in trial.json, and those that the queue or a damaged file add."""

from __future__ import annotations

from enum import StrEnum


class TrialStatus(StrEnum):
    """The `state` of a trial; members equal their words, and their order is the order of counts in messages."""

    NEW = "new"  # never submitted
    DONE = "done"
    PRUNED = "pruned"  # ended early by its sweep
    RUNNING = "running"
    WAITING = "waiting"  # interrupted, to go on from its last checkpoint
    QUEUED = "queued"
    FAILED = "failed"
    DAMAGED = "damaged"  # its own file cannot be read
    CANCELLED = "cancelled"
    STOPPED = "stopped"  # not begun, as too many others failed

    @property
    def is_alive(self) -> bool:
        """Whether the trial is in the queue or has a process, and so may change by itself."""
        return self in (TrialStatus.RUNNING, TrialStatus.WAITING, TrialStatus.QUEUED)

    @property
    def may_run_again(self) -> bool:
        """Whether the trial ended without a result, so that `retry` queues it."""
        return not self.is_alive and self not in (TrialStatus.NEW, TrialStatus.DONE, TrialStatus.PRUNED)
