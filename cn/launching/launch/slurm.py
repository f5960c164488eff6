"""python train.py -m seed=1,2,3 launch=slurm launch.partition=gpu launch.hours=4

`launch.nodes=2 launch.gpus=8` is 16 processes of one run, each with a GPU of its own.

A site's own settings are a subclass in `runs/launch/slurm.py`: `class Kyiv(Slurm)` is `launch=slurm/kyiv`.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Lt

from cn.launching.launch import Launch

if TYPE_CHECKING:
    from cn.launching.slurm_queue import SlurmQueue

OURS = {  # sbatch option -> the field for it
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


Count = Annotated[int, Ge(1)]
Hours = Annotated[float, Gt(0), Lt(inf)]


class Slurm(Launch):
    """Jobs of a SLURM cluster."""

    nodes: Count = 1  # of each job, and of each of its runs
    gpus: Annotated[int, Ge(0)] = 1  # of each node, each with a process of the run; 0: none, and one process on the CPU
    cpus: Count | None = None  # of each node; null: SLURM's default
    memory: Count | None = None  # GB of each node; null: SLURM's default
    hours: Hours = 1.0  # until SLURM interrupts a job, to go on in another; whole minutes, at least 1; 0.5: 30 minutes
    parallel: Count | None = None  # jobs at once over the whole sweep; null: as many as there is room for
    pack: Count = 1  # trials that share a job; of those at once each has its part of the GPUs, or they share one
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
            if name in ("clusters", "cluster"):
                what = f"sbatch has {name!r}, and squeue would not look for the jobs there"
                raise ValueError(f"{what}; for all commands of SLURM: export SLURM_CLUSTERS=NAME")
            if (instead := OURS.get(name.replace("_", "-"))) is not None:
                told = f"; the field for it is {instead}" if instead else ", which every sweep sets itself"
                raise ValueError(f"sbatch has {name!r}{told}")

    @property
    def is_waited_for(self) -> bool:
        return self.wait

    @property
    def most_gpu_hours(self) -> float:
        return self.nodes * self.gpus * self.hours

    def build(self) -> SlurmQueue:
        from cn.launching.slurm_queue import SlurmQueue

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
