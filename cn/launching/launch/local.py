"""python train.py -m seed=1,2,3 launch=local launch.processes=2"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge

from cn.errors import UserError
from cn.launching.launch import Launch
from cn.nodes.notes import Was
from cn.nodes.traversal import freeze, thaw

if TYPE_CHECKING:
    from cn.launching.local_queue import LocalQueue


class Local(Launch):
    """This machine; each trial on GPUs of its own while there are any."""

    processes: Annotated[int, Ge(1), Was("gpus")] = 1  # of each run; each has a GPU of its own, unless gpu=-1
    parallel: Annotated[int, Ge(1)] = 1  # trials at once

    @property
    def is_here(self) -> bool:
        return True

    @property
    def processes_here(self) -> int:
        return self.processes

    @property
    def free_to_change(self) -> tuple[str, ...]:
        return ("processes",)

    def joined(self, others: Sequence[Launch]) -> Launch:
        """Return this launch with the largest `parallel`; UserError if the runs have different numbers of processes."""
        alike = [each for each in others if isinstance(each, Local)]
        if len(alike) < len(others):
            return super().joined(others)
        processes = sorted({each.processes for each in alike})
        if len(processes) > 1:
            what = f"runs of {' and '.join(map(str, processes))} processes do not go together in one -m"
            raise UserError(what, f"write: {len(processes)} commands, each with one launch.processes=NUMBER")
        one = thaw(self)
        one.parallel = max(each.parallel for each in alike)
        freeze(one)
        return one

    def build(self) -> LocalQueue:
        from cn.launching.local_queue import LocalQueue

        return LocalQueue(parallel=self.parallel, processes=self.processes)
