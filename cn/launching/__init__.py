"""Where the processes of runs are started: here, or as jobs of a cluster."""

from typing import TYPE_CHECKING

from cn.lazy import lazily

if TYPE_CHECKING:
    from cn.launching.launch import Launch as Launch
    from cn.launching.launch.local import Local as Local
    from cn.launching.launch.slurm import Slurm as Slurm

# What other packages may import: the names of each file.
OFFERS = {
    "commands": "AbsentError",
    "launch": "Launch",
    "launch.local": "Local",
    "launch.slurm": "Slurm",
    "own_gpus": "hold",
    "processes": "GRACE Part Spread free_port",
    "queue": "Here Job Jobs MOST PAUSE Queue Why",
    "rank": "Rank",
    "ranks": "FILES Lost first_node output redirect_output which",
    "shared": "imported libraries prepare reseed share",
    "signals": "stopping",
    "workers": "fork",
}

__getattr__ = lazily(
    __name__, Launch="cn.launching.launch", Local="cn.launching.launch.local", Slurm="cn.launching.launch.slurm"
)
