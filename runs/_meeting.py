"""How the processes of one run find out which of them each is, and meet.

Whoever starts them says which is which in the environment: `torchrun`, SLURM's `srun`, or `launch.gpus` of our own.
"""

from __future__ import annotations

import gc
import os
import re
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from runs._ranks import ALONE, Lost, Ranks


def which(environment: Mapping[str, str] = os.environ) -> Ranks:
    """This process among those that it was started with."""
    if "RANK" in environment and "WORLD_SIZE" in environment:
        rank, size = int(environment["RANK"]), int(environment["WORLD_SIZE"])
        return Ranks(rank, size, int(environment.get("LOCAL_RANK", rank)))
    if "SLURM_STEP_NUM_TASKS" in environment:  # srun alone sets it: a batch script has SLURM_NTASKS, and is one process
        size = int(environment["SLURM_STEP_NUM_TASKS"])
        return Ranks(int(environment["SLURM_PROCID"]), size, int(environment["SLURM_LOCALID"]))
    return ALONE


def address(environment: Mapping[str, str]) -> dict[str, str]:
    """Where the processes of an srun meet: the first node, and a port that follows from the job's number."""
    alone = environment.get("SLURM_STEP_NUM_NODES", "1") == "1"
    port = 15_000 + (int(environment["SLURM_JOB_ID"]) * 7 + int(environment.get("SLURM_STEP_ID", "0"))) % 17_000
    return {
        "MASTER_ADDR": "127.0.0.1" if alone else first_node(environment["SLURM_STEP_NODELIST"]),
        "MASTER_PORT": str(port),  # below those that Linux gives out by itself
    }


def first_node(names: str) -> str:
    """Of `n[03-07,9]-ib,m1`, as SLURM writes its nodes: n03-ib."""
    found = re.match(r"([^,\[]*)(?:\[([^],-]*)[^]]*\]([^,]*))?", names)
    assert found is not None
    return "".join(part or "" for part in found.groups())


@contextmanager
def joined(*, cuda: bool) -> Iterator[Ranks]:
    """Within it, the processes of this run can speak with each other; a process alone is left as it is.

    cuda: their tensors are on GPUs; what is on the CPU goes by another way all the same.
    """
    ranks = which()
    torchrun = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"  # its store, which it keeps while it lives
    if ranks.size == 1 and not torchrun:
        yield ALONE
        return
    from torch import distributed
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    if "SLURM_JOB_ID" in os.environ:
        for name, value in address(os.environ).items():
            os.environ.setdefault(name, value)
    os.environ.update(RANK=str(ranks.rank), WORLD_SIZE=str(ranks.size), LOCAL_RANK=str(ranks.local))
    with _ended_by_ctrl_c():
        kept, rank, size = next(rendezvous("env://"))
        # what torch has noted there before a restart would have it look for processes that are gone
        store = PrefixStore(f"start {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", kept)
        backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
        if size > 1:
            distributed.init_process_group(backend, store=store, rank=rank, world_size=size)
    if size == 1:
        yield Ranks(kept=kept)
        return
    apart = PrefixStore("run", store)  # from what torch itself notes there
    ranks = Ranks(rank, size, ranks.local, apart, kept if torchrun else None)
    try:
        yield ranks
        ranks.largest(0)
    except Exception as error:
        # nothing is said to the others by hand: they learn of it from the connections that end with this process
        gone = ranks.lost(error)
        ranks.tell(Lost(gone) if gone else error)
        if gone:
            raise Lost(gone) from None
        raise
    distributed.destroy_process_group()
    gc.collect()  # joins its threads: one that lets go of a tensor while Python ends would abort the process


@contextmanager
def _ended_by_ctrl_c() -> Iterator[None]:
    """Within it, Ctrl-C ends the process as it is: torch waits for the others in C++, and Python would not hear."""
    here = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if here else None
    if before is not signal.default_int_handler:  # ignored, or another's
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
