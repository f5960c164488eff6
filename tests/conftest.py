"""The files that wait longest, for SLURM and for processes, begin first: so no worker is left with one at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

FIRST = ("sweeps", "tests", "runs")  # folders; then all others


def pytest_configure(config: pytest.Config) -> None:
    config.option.loadscopereorder = False  # xdist would begin with the files that have most tests, which are quick


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _place(item.path))


def _place(path: Path) -> int:
    name = path.parent.name
    return FIRST.index(name) if name in FIRST else len(FIRST)
