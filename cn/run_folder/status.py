"""The states of a run: those in summary.json, and `lost` for a run whose process is gone."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class RunStatus(StrEnum):
    """The `state` of a run; members equal their words."""

    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    LOST = "lost"  # shown, never written: the summary says running, and no process holds the folder's lock


def is_finished(summary: Mapping[str, Any]) -> bool:
    """Return whether a summary is that of a run that ended with a result."""
    return summary.get("state") == RunStatus.FINISHED
