"""What holds for all tests. The files that wait longest begin first: so no worker is left with one at the end."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from cn import command

# Before torch is imported, and for all that tests start: several threads on cores that are busy wait for each other.
os.environ["OMP_NUM_THREADS"] = "1"

# A shell that starts pytest in the background has it ignore Ctrl-C, and so would all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

FIRST = ("sweeps", "tests", "runs")  # folders; then all others


def pytest_configure(config: pytest.Config) -> None:
    config.option.loadscopereorder = False  # xdist would begin with the files that have most tests, which are quick


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _place(item.path))


@pytest.fixture(autouse=True)
def _called_train(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages name the program that was started, and a test that starts another leaves that to itself."""
    monkeypatch.setattr(command, "script", "train.py")


def _place(path: Path) -> int:
    name = path.parent.name
    return FIRST.index(name) if name in FIRST else len(FIRST)
