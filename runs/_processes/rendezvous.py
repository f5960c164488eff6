"""The rendezvous of a run's processes, and the process group that they form."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from cn.launching.ranks import Lost, first_node, which
from runs._processes.collectives import ALONE, Ranks


def address(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the rendezvous of an srun: the first node, and a port computed from the job's number."""
    alone = environment.get("SLURM_STEP_NUM_NODES", "1") == "1"
    port = 15_000 + (int(environment["SLURM_JOB_ID"]) * 7 + int(environment.get("SLURM_STEP_ID", "0"))) % 17_000
    return {
        "MASTER_ADDR": "127.0.0.1" if alone else first_node(environment["SLURM_STEP_NODELIST"]),
        "MASTER_PORT": str(port),  # below the range from which Linux assigns ports
    }


@contextmanager
def joined(*, cuda: bool) -> Iterator[Ranks]:
    """Form the process group of this run while active; a single process stays without one.

    cuda: tensors are on GPUs (NCCL); CPU tensors always use gloo.
    """
    ranks = which()
    torchrun = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"  # torchrun's store outlives its workers
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
        # torch's entries from before a restart would refer to dead processes
        store = PrefixStore(f"start {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", kept)
        backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
        if size > 1:
            distributed.init_process_group(backend, store=store, rank=rank, world_size=size)
    if size == 1:
        yield Ranks(kept=kept)
        return
    apart = PrefixStore("run", store)  # separate from torch's own keys
    ranks = Ranks(rank, size, ranks.local, apart, kept if torchrun else None)
    try:
        yield ranks
        ranks.all_max(0)
    except Exception as error:
        # the others notice when this process's connections close
        gone = ranks.lost(error)
        ranks.report_failure(Lost(gone) if gone else error)
        if gone:
            raise Lost(gone) from None
        raise
    distributed.destroy_process_group()
    gc.collect()  # joins its threads: a thread that frees a tensor at Python's exit would abort the process


@contextmanager
def _ended_by_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C kill the process while active: torch waits in C++, where Python handlers do not run."""
    here = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if here else None
    if before is not signal.default_int_handler:  # SIGINT is ignored, or has another handler
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
