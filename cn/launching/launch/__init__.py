"""Where a run is trained: on this machine, or as a job of a cluster."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cn.errors import UserError
from cn.nodes.node import CN

if TYPE_CHECKING:
    from cn.launching.queue import Queue


class Launch(CN):
    """Chosen by `launch=slurm`, for one run, for all of `-m`, and for a sweep."""

    @abstractmethod
    def build(self) -> Queue:
        """Return the queue that takes jobs and reports their states."""

    @property
    def is_here(self) -> bool:
        """Whether `train.py` trains its runs itself and waits for them; else it queues them and returns."""
        return False

    @property
    def is_waited_for(self) -> bool:
        """Whether `train.py` waits until the jobs that it queued are over."""
        return False

    @property
    def processes_here(self) -> int:
        """Processes of each run that `train.py` trains itself."""
        return 1

    @property
    def free_to_change(self) -> tuple[str, ...]:
        """Fields that may change when `--from FOLDER` resumes the same run."""
        return ()

    @property
    def most_gpu_hours(self) -> float | None:
        """GPU-hours of a job that uses its whole time limit; None for jobs without a limit."""
        return None

    def joined(self, others: Sequence[Launch]) -> Launch:
        """Return one launch for the runs of one `-m` that `train.py` trains itself; `others` includes this one."""
        if any(each != self for each in others):
            what = "runs with different launch=... that are trained here do not go together in one -m"
            raise UserError(what, "write: a command for each")
        return self
