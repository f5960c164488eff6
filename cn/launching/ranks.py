"""The processes of one run: how each learns its rank, and what they tell the process that started them.

The starter sets the ranks in the environment: `torchrun`, SLURM's `srun`, or our own `launch.processes`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cn.errors import RunError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

FILES = "CN_RANK_FILES"  # set if each rank but 0 prints to a file in the run's folder

starter: Connection | None = None  # pipe to the supervisor, if cn/launching/processes.py started this process


class Lost(RunError):  # noqa: N818
    """Another process of the run is gone; that process reports the reason."""


class Place(NamedTuple):
    """A process's rank in its run."""

    rank: int = 0
    size: int = 1
    local: int = 0  # local rank, on this machine


def which(environment: Mapping[str, str] = os.environ) -> Place:
    """Return this process's rank and the world size, from the environment."""
    if "RANK" in environment and "WORLD_SIZE" in environment:
        rank, size = int(environment["RANK"]), int(environment["WORLD_SIZE"])
        return Place(rank, size, int(environment.get("LOCAL_RANK", rank)))
    if "SLURM_STEP_NUM_TASKS" in environment:  # only srun sets it; a batch script is one process
        size = int(environment["SLURM_STEP_NUM_TASKS"])
        return Place(int(environment["SLURM_PROCID"]), size, int(environment["SLURM_LOCALID"]))
    return Place()


def first_node(names: str) -> str:
    """Return the first node of a list in SLURM's notation: n03-ib for `n[03-07,9]-ib,m1`."""
    found = re.match(r"([^,\[]*)(?:\[([^],-]*)[^]]*\]([^,]*))?", names)
    assert found is not None
    return "".join(part or "" for part in found.groups())


def redirect_output(folder: Path, rank: int) -> None:
    """Report the run folder to the supervisor, and redirect the output of other ranks into it.

    Each happens only if the supervisor asks for it.
    """
    if rank == 0 and starter is not None:
        with suppress(BrokenPipeError):  # it has been killed
            starter.send(("folder", folder))
    if rank != 0 and FILES in os.environ:
        with output(folder, rank).open("a") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)


def output(folder: Path, rank: int) -> Path:
    """Return the output file of a rank other than 0."""
    return folder / f"rank{rank}.txt"
