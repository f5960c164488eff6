"""python train.py -m seed=1,2,3 launch=local launch.gpus=2"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs.launch import Launch

if TYPE_CHECKING:
    from runs.launch._local import LocalQueue


class Local(Launch):
    """This machine; each trial on GPUs of its own while there are any."""

    gpus: int = 1  # of each run, and as many processes; on the CPU only as many processes
    parallel: int = 1  # trials at once

    def check(self) -> None:
        if self.gpus < 1:
            raise ValueError(f"gpus is {self.gpus}, and must be at least 1; for the CPU: gpu=-1")
        if self.parallel < 1:
            raise ValueError(f"parallel is {self.parallel}, and must be at least 1 trial at once")

    def build(self) -> LocalQueue:
        from runs.launch._local import LocalQueue

        return LocalQueue(parallel=self.parallel, gpus=self.gpus)
