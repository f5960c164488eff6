"""Where a run is trained: on this machine, or as a job of a cluster."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from cn import CN

if TYPE_CHECKING:
    from runs.launch._queue import Queue


class Launch(CN):
    """Chosen by `launch=slurm`, for one run, for all of `-m`, and for a sweep."""

    @abstractmethod
    def build(self) -> Queue:
        """What takes jobs, and knows how they stand."""
