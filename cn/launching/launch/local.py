"""python train.py -m seed=1,2,3 launch=local launch.gpus=2"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge

from cn.errors import UserError, lines
from cn.launching.launch import Launch
from cn.nodes.traversal import freeze, thaw

if TYPE_CHECKING:
    from cn.launching.local_queue import LocalQueue


class Local(Launch):
    """This machine; each trial on GPUs of its own while there are any."""

    gpus: Annotated[int, Ge(1)] = 1  # of each run, and as many processes; with gpu=-1 only as many processes
    parallel: Annotated[int, Ge(1)] = 1  # trials at once

    @property
    def is_here(self) -> bool:
        return True

    @property
    def processes_here(self) -> int:
        return self.gpus

    @property
    def free_to_change(self) -> tuple[str, ...]:
        return ("gpus",)

    def joined(self, others: Sequence[Launch]) -> Launch:
        """Return this launch with the largest `parallel`; UserError if the runs have different numbers of processes."""
        alike = [each for each in others if isinstance(each, Local)]
        if len(alike) < len(others):
            return super().joined(others)
        processes = sorted({each.gpus for each in alike})
        if len(processes) > 1:
            what = f"runs of {' and '.join(map(str, processes))} processes do not go together in one -m"
            raise UserError(lines(what, f"write: {len(processes)} commands, each with one launch.gpus=NUMBER"))
        one = thaw(self)
        one.parallel = max(each.parallel for each in alike)
        freeze(one)
        return one

    def build(self) -> LocalQueue:
        from cn.launching.local_queue import LocalQueue

        return LocalQueue(parallel=self.parallel, gpus=self.gpus)
