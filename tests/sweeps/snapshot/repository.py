"""A small repository of git's for the tests of snapshots, and what a snapshot holds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
DEAD = 2**22 + 1  # no process has so high a number


def git(folder: Path, *words: str) -> None:
    settings = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "protocol.file.allow=always")
    subprocess.run(["git", "-C", str(folder), *settings, *words], check=True, capture_output=True)


def write(folder: Path, *names: str) -> None:
    """Files that hold their own names."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"# {name}\n")


def repository(folder: Path, *tracked: str) -> Path:
    write(folder, *tracked)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def held(snapshot: Path) -> list[str]:
    """The files and links in it."""
    paths = [path for path in snapshot.rglob("*") if path.is_symlink() or path.is_file()]
    return sorted(os.fsencode(path.relative_to(snapshot)).decode(errors="backslashreplace") for path in paths)


def of_python(snapshot: Path) -> str:
    """The part of its name that is the digest of the Python files."""
    return snapshot.name.partition("-")[0]


def python(words: str, *, cwd: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A process with only these variables of PYTHON's."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [sys.executable, "-c", words],
        cwd=cwd,
        env={**environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
