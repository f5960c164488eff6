"""The order of tests, and which worker of pytest-xdist runs which file.

A test that waits for a SLURM leaves its core to another test. So the first half of the workers begin with the files
that use a cluster, and they alone start clusters; the second half begin with all others. A worker whose files have run
out takes those of the other half. Within both, the files with the most slow tests come first, so that no worker is left
with a long one at the end. A page of the documentation is a test that takes as long as a file, and is handed out alone.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
CLUSTER = re.compile(r"[(,]\s*(?:slurm|slurm_accounting|each_slurm|place|one_by_one)[:,)]")  # a parameter of a test
PAGE = re.compile(r"tests/test_readme\.py::test_the_commands_of_a_page")


def sort(items: list[pytest.Item]) -> None:
    """Sort tests by file: those of the documentation, then the files with the most slow tests."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow") is not None)
    items.sort(key=lambda item: (PAGE.match(item.nodeid) is None, -slow[item.path]))


def unit(nodeid: str) -> str:
    """Return what is handed out together with a test: its file, or a page of the documentation alone."""
    return nodeid if PAGE.match(nodeid) else nodeid.partition("::")[0]


@functools.cache
def waits(unit: str) -> bool:
    """Return whether a file has a test that uses a cluster."""
    path = ROOT / unit.partition("::")[0]
    return path.parent.name == "sweeps" and CLUSTER.search(path.read_text()) is not None


def choose(units: Iterable[str], worker: int, workers: int) -> str:
    """Return the first of these units that is for this worker, or else the first of all."""
    units = list(units)
    of_cluster = worker < workers // 2
    return next((each for each in units if waits(each) == of_cluster), units[0])


def scheduler(config: pytest.Config, log: Any) -> Any:
    """Return the scheduler of `--dist loadfile`, or None to leave another one to pytest-xdist."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Halves(LoadFileScheduling):
        def _assign_work_unit(self, node: Any) -> None:
            number = int(node.gateway.id.removeprefix("gw"))
            self.workqueue.move_to_end(choose(self.workqueue, number, len(self.nodes)), last=False)
            super()._assign_work_unit(node)

        def _split_scope(self, nodeid: str) -> str:
            return unit(nodeid)

    return Halves(config, log)
