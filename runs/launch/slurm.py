"""python train.py -m seed=1,2,3 launch=slurm launch.partition=gpu launch.hours=4

`launch.nodes=2 launch.gpus=8` is 16 processes of one run, each with a GPU of its own.

A site's own settings are a subclass in this file: `class Kyiv(Slurm)` is `launch=slurm/kyiv`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from runs.launch import Launch

if TYPE_CHECKING:
    from runs.launch._slurm import SlurmQueue

OURS = {  # an option of sbatch, and what says it here
    "array": "parallel, for how many at once",
    "time": "hours",
    "nodes": "nodes",
    "gpus": "gpus",
    "gpus-per-node": "gpus",
    "gpus-per-task": "gpus",
    "cpus-per-task": "cpus",
    "mem": "memory",
    "partition": "partition",
    "account": "account",
    "qos": "qos",
    "constraint": "constraint",
    "wait": "wait",
    "wrap": "setup, for lines of shell before python",
    **dict.fromkeys(("ntasks", "ntasks-per-node"), "gpus, for processes of a run, or pack, for trials"),
    **dict.fromkeys(("job-name", "comment", "dependency", "requeue", "no-requeue", "signal"), ""),
    **dict.fromkeys(("output", "error", "open-mode", "chdir", "export", "parsable"), ""),
}


class Slurm(Launch):
    """Jobs of a SLURM cluster."""

    nodes: int = 1  # of each job, and of each of its runs
    gpus: int = 1  # of each node, each with a process of the run; 0: none, and one process on the CPU
    cpus: int | None = None  # of each node; null: SLURM's default
    memory: int | None = None  # GB of each node; null: SLURM's default
    hours: float = 1.0  # until SLURM interrupts a job, which then goes on in another; whole minutes, at least 1
    parallel: int | None = None  # jobs at once over the whole sweep; null: as many as there is room for
    pack: int = 1  # trials that share a job; of those at once each has its part of the GPUs, or they share one
    in_turn: bool = False  # of those, one after the other, each with all GPUs; else at once
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None  # features that a node must have, such as "a100|h100"
    setup: list[str] = []  # lines of shell before python
    container: str | None = None  # what python is run by, such as "apptainer exec --nv image.sif"; python is then its
    sbatch: dict[str, str] = {}  # other options of sbatch, such as {"reservation": "course"}; "": one without a value
    wait: bool = False  # the command ends when the jobs have

    def check(self) -> None:
        if self.gpus < 0:
            raise ValueError(f"gpus is {self.gpus}, and must be at least 0")
        for name in ("nodes", "cpus", "memory", "parallel", "pack"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name} is {value}, and must be at least 1")
        if not (self.hours > 0 and math.isfinite(self.hours)):
            raise ValueError(f"hours is {self.hours}, and must be above 0; 0.5 is half an hour")
        if self.pack > 1 and not self.in_turn:
            if self.nodes > 1:
                what = f"pack is {self.pack} and nodes is {self.nodes}: trials at once share the GPUs of one node"
                raise ValueError(f"{what}; one after the other, each on all nodes: in_turn=true")
            if self.gpus % self.pack and self.pack % max(1, self.gpus):
                near = max(number for number in range(1, self.pack) if self.gpus % number == 0)
                what = f"pack is {self.pack} and gpus is {self.gpus}, which so many trials at once cannot share evenly"
                raise ValueError(f"{what}; nearest: pack={near}; or one after the other: in_turn=true")
        for name in self.sbatch:
            if name.startswith("-"):
                raise ValueError(f"sbatch has {name!r}, and must have {name.lstrip('-')!r}, without dashes")
            if (instead := OURS.get(name.replace("_", "-"))) is not None:
                told = f"; the field for it is {instead}" if instead else ", which every sweep sets itself"
                raise ValueError(f"sbatch has {name!r}{told}")

    def build(self) -> SlurmQueue:
        from runs.launch._slurm import SlurmQueue

        return SlurmQueue(
            nodes=self.nodes,
            gpus=self.gpus,
            cpus=self.cpus,
            memory=self.memory,
            minutes=max(1, round(self.hours * 60)),
            parallel=self.parallel,
            pack=self.pack,
            in_turn=self.in_turn,
            partition=self.partition,
            account=self.account,
            qos=self.qos,
            constraint=self.constraint,
            setup=self.setup,
            container=self.container,
            sbatch=self.sbatch,
        )
