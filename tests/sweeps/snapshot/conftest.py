"""What the tests of snapshots use.

Fixtures:

    settings  (of every test) git as it is where nobody has set anything
    code      a repository of three files, one of which no git ignores
    into      the folder that snapshots are taken into
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.sweeps.snapshot.repository import repository


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Git as it is where nobody has set anything."""
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A repository of three files, one of which no git ignores."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    return repository(tmp_path / "repo", "train.py", "models/vit.py", "README.md")


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "sweep" / "code"
