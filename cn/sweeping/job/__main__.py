"""python -m cn.sweeping.job FOLDER LABEL      (the program of a job on each of its nodes: it runs trials of a sweep)

This process starts other processes, waits for them, and records how they end. It imports the libraries that its trials
need, and calls nothing of these libraries: the forked processes share them.
"""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from pathlib import Path

from cn.errors import CNError
from cn.launching.shared import prepare
from cn.process import end_with_parent
from cn.screen import say
from cn.sweeping.folder.batches import Batch
from cn.sweeping.folder.queues import queue_of
from cn.sweeping.folder.store import Store
from cn.sweeping.job.follow import follow
from cn.sweeping.job.peers import Others
from cn.sweeping.job.supervisor import Leader


def main(words: list[str]) -> int:
    folder, label, *flags = words
    if "--show" in flags:  # in the foreground: when the command is killed, the trials are to stop
        end_with_parent(signal.SIGTERM)
    store = Store(Path(folder))
    try:
        queue = queue_of(store.head(label))
        here = queue.here()
        batch = _all(store, label) if here.index is None else store.one_job(label, here.index)
        if here.index is None:  # the process runs every job of the batch, one trial each
            here = replace(here, environments=here.environments[: batch.width])
    except FileNotFoundError:
        say(f"{folder} has no batch {label} any more: it was withdrawn before it was submitted")
        return 0
    except CNError as error:  # `status` reports the error too
        say(error, error=True)
        return 1
    together = queue.processes * len(here.environments)
    if max(together, queue.nodes) > 1:
        prepare(together)
    if here.node > 0:
        return follow(store, batch, queue, here)
    others = Others(here, label, queue.nodes, store.secret(label))
    leader = Leader(store, batch, queue, here, others, show="--show" in flags)
    try:
        return leader.run()
    except CNError as error:
        say(error, error=True)
        leader.refuse(str(error).partition("\n")[0])
        return 1
    finally:
        others.close()


def _all(store: Store, label: str) -> Batch:
    """Return a batch with the jobs that can be read."""
    salvaged = store.salvaged(label)
    if salvaged.damaged is not None:
        say(salvaged.damaged, error=True)
    return replace(store.head(label), jobs=tuple(row or () for row in salvaged.rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
