"""python train.py -m seed=1,2,3 launch=slurm launch.partition=gpu launch.hours=4

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
    **dict.fromkeys(("nodes", "ntasks", "ntasks-per-node"), "pack, for several trials in one job"),
    **dict.fromkeys(("job-name", "comment", "dependency", "requeue", "no-requeue", "signal"), ""),
    **dict.fromkeys(("output", "error", "open-mode", "chdir", "export", "parsable"), ""),
}


class Slurm(Launch):
    """Jobs of a SLURM cluster."""

    gpus: int = 1  # of each job; 0: none
    cpus: int | None = None  # of each job; null: SLURM's default
    memory: int | None = None  # GB of each job; null: SLURM's default
    hours: float = 1.0  # until SLURM interrupts a job, which then goes on in another; whole minutes, at least 1
    parallel: int | None = None  # jobs at once over the whole sweep; null: as many as there is room for
    pack: int = 1  # trials that share a job, and its GPUs
    in_turn: bool = False  # of those, one after the other; else at once
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
        for name in ("cpus", "memory", "parallel", "pack"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name} is {value}, and must be at least 1")
        if not (self.hours > 0 and math.isfinite(self.hours)):
            raise ValueError(f"hours is {self.hours}, and must be above 0; 0.5 is half an hour")
        for name in self.sbatch:
            if name.startswith("-"):
                raise ValueError(f"sbatch has {name!r}, and must have {name.lstrip('-')!r}, without dashes")
            if (instead := OURS.get(name.replace("_", "-"))) is not None:
                told = f"; the field for it is {instead}" if instead else ", which every sweep sets itself"
                raise ValueError(f"sbatch has {name!r}{told}")

    def build(self) -> SlurmQueue:
        from runs.launch._slurm import SlurmQueue

        return SlurmQueue(
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
