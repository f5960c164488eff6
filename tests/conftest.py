"""What holds for all tests. The files that wait longest begin first: so no worker is left with one at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from cn import command

FIRST = ("sweeps", "tests", "runs")  # folders; then all others


def pytest_configure(config: pytest.Config) -> None:
    config.option.loadscopereorder = False  # xdist would begin with the files that have most tests, which are quick


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _place(item.path))


@pytest.fixture(autouse=True)
def _name_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that calls `python -m runs` in this process leaves the name in messages as it was."""
    monkeypatch.setattr(command, "script", command.script)


def _place(path: Path) -> int:
    name = path.parent.name
    return FIRST.index(name) if name in FIRST else len(FIRST)
