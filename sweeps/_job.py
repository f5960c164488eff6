"""python -m sweeps._job FOLDER LABEL      (what a job runs on each of its nodes: some trials of a sweep)

No torch here: this process starts others, waits, and writes down.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from cn import CNError
from cn.screen import say
from sweeps._batch import Batch
from sweeps._follow import follow
from sweeps._lead import Leader
from sweeps._nodes import Others
from sweeps._queues import queue_of
from sweeps._store import Store


def main(words: list[str]) -> int:
    folder, label, *flags = words
    store = Store(Path(folder))
    try:
        queue = queue_of(store.head(label))
        here = queue.here()
        batch = _all(store, label) if here.index is None else store.one_job(label, here.index)
        if here.index is None:  # each of its jobs is one trial
            here = replace(here, environments=here.environments[: batch.width])
    except FileNotFoundError:
        say(f"{folder} has no batch {label} any more: it was withdrawn before it was submitted")
        return 0
    except CNError as error:  # `status` tells of it
        say(error, error=True)
        return 1
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
    """A batch with the jobs that can be read."""
    salvaged = store.salvaged(label)
    if salvaged.damaged is not None:
        say(salvaged.damaged, error=True)
    return replace(store.head(label), jobs=tuple(row or () for row in salvaged.rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
