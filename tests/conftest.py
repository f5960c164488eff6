"""What holds for all tests. tests/scheduling.py says in which order they run, and where.

Fixtures:

    gpu           skips the test where torch can use no GPU
    _called_train (of every test) messages name the program `train.py`

The plugin cn/testing.py brings `compose`, `keys`, `isolated_store` and `node_tree`.
"""

from __future__ import annotations

import compileall
import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from cn import program
from tests import scheduling

# Before torch is imported, and for all that tests start: several threads on cores that are busy wait for each other.
os.environ["OMP_NUM_THREADS"] = "1"

# A shell that starts pytest in the background has it ignore Ctrl-C, and so would all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

# pytest's compilation of the tests takes 10 s, and each process that a test starts would compile what it imports
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

ROOT = Path(__file__).parents[1]
LONG = {f"tests/{line}" for line in (ROOT / "tests/long_tests.txt").read_text().splitlines()}
OTHERS = "[...]"  # in that list: all parameters of a test but the first
COLLECTED: dict[str, bool] = {}  # the id of each test, before `-m` leaves out some -> whether it is listed
OURS = ("cn", "models", "data", "runs", "sweeps")

BY_FIXTURE = {  # mark -> fixtures that imply it
    "slurm": {"slurm", "slurm_accounting", "_slurm", "_slurm_accounting"},
    "gpu": {"gpu"},
    "slow": {  # these start processes, and `go` trains
        *("program", "project", "real", "held", "shell", "go", "forked", "ranks", "together", "stopped"),
        *("stopped_after_each_step", "_slurm", "_slurm_accounting"),
    },
}


# No test is about time: a machine that is busy is slow.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    gc.disable()  # until all tests are collected, of which nothing becomes garbage
    config.option.loadscopereorder = False  # xdist would start with the files with most tests, which are quick
    if not hasattr(config, "workerinput"):  # once, for the hundreds of processes that tests start, in copies too
        for name in OURS:
            compileall.compile_dir(ROOT / name, quiet=2)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Add the marks before `-m` chooses by them, and sort what it leaves."""
    tests: set[str] = set()
    for item in items:
        test = item.nodeid.partition("[")[0]
        COLLECTED[item.nodeid] = item.nodeid in LONG or (test in tests and test + OTHERS in LONG)
        tests.add(test)
        for mark in automatic(item):
            item.add_marker(mark)
    yield
    scheduling.sort(items)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()
    gc.set_threshold(700, 10, 100)  # a tenth of the looks at all objects


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return scheduling.scheduler(config, log)


def automatic(item: pytest.Item) -> list[str]:
    """Return the marks implied by a test's fixtures and parameters, and by the list of long tests."""
    call = getattr(item, "callspec", None)
    named = {
        *getattr(item, "fixturenames", ()),
        *(each for each in (call.params if call else {}).values() if isinstance(each, str)),
    }
    marks = [mark for mark, fixtures in BY_FIXTURE.items() if named & fixtures]
    return [*marks, "long"] if COLLECTED.get(item.nodeid) else marks


@pytest.fixture
def gpu() -> None:
    """Skip the test if torch can use no GPU."""
    import torch

    if not torch.cuda.is_available():
        pytest.skip("torch can use no GPU here")


@pytest.fixture(autouse=True)
def _called_train(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reset the program name in messages, which a test may change."""
    monkeypatch.setattr(program, "script", "train.py")
