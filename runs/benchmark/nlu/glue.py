"""python train.py run=language benchmark=nlu/glue benchmark.root=DIR benchmark.tasks=[cola,rte]"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt

from runs.benchmark import Benchmark

if TYPE_CHECKING:
    from runs.benchmark.nlu._glue import FineTuned

Name = Literal["cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli"]


class Glue(Benchmark):
    """The trained model is trained further on each task of GLUE, with a head of its own, and tested on the task's dev.

    Each task is a run of its own in the folder benchmark/TASK of this run; one that has finished is not run again.
    Several processes share the tasks, and each task is trained in one process.
    """

    tasks: list[Name] = []  # the tasks, in this order; []: all nine
    root: Path | None = None  # folder of CoLA/train.tsv, ...; default: fetched once into this user's cache
    epochs: Annotated[int, Ge(1)] = 3  # passes over a task's training rows
    batch_size: Annotated[int, Ge(1)] = 32  # rows a step
    learning_rate: Annotated[float, Gt(0)] = 1e-4  # base rate
    length: Annotated[int, Ge(5)] = 128  # tokens of the longest sequence; at most the model's

    def check(self) -> None:
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"tasks is {self.tasks}, and names one twice")

    def build(self) -> FineTuned:
        from runs.benchmark.nlu._glue import FineTuned

        return FineTuned(self)
