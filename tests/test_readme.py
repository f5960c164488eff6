"""Every command of READ_THIS_FIRST.md runs in a copy of the repository, and prints what is written there.

Numbers may differ from machine to machine, so any number stands for any other; a line `...` stands for any lines.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "READ_THIS_FIRST.md"


class Command(NamedTuple):
    text: str
    expected: list[str]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), flags=re.MULTILINE | re.DOTALL)


def commands() -> Iterator[Command]:
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            text, *expected = part.rstrip("\n").split("\n")
            yield Command(text, expected)


def environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    return kept | {"PATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "120", "PYTHONDONTWRITEBYTECODE": "1"}


def copy(to: Path) -> Path:
    """The repository without what git ignores, and with the files that the README shows."""
    shutil.copytree(ROOT, to, ignore=shutil.ignore_patterns(".*", "__pycache__", "outputs", "*.egg-info", "build"))
    for block in blocks("python"):
        if block.startswith("# ") and block.split("\n", 1)[0].endswith(".py"):
            path = to / block.split("\n", 1)[0].removeprefix("# ")
            assert not path.exists(), f"{path} is a file of the repository, so the README may not show another"
            path.write_text(block)
    return to


def run(command: str, folder: Path) -> list[str]:
    result = subprocess.run(
        command, shell=True, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    return (result.stdout + result.stderr).rstrip("\n").split("\n")


def pattern(expected: list[str]) -> str:
    """A regular expression for the lines: any number for a number, any lines for `...`."""
    parts = [r"(.*\n)*" if line.strip() == "..." else _loose(line) + "\n" for line in expected]
    return "".join(parts)


def _loose(line: str) -> str:
    line = re.sub(r"-+", "-", re.sub(r" +", " ", line.rstrip()))
    return re.sub(r"\\?-?\d+(\\?[.,_]\d+)*", "#", re.escape(line)).replace("#", r"-?[\d.,_-]+")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy(tmp_path_factory.mktemp("readme") / "cn")


@pytest.mark.parametrize("command", list(commands()), ids=lambda command: command.text)
def test_a_command_prints_what_the_readme_shows(command: Command, repository: Path) -> None:
    printed = run(command.text, repository)
    tidy = [re.sub(r"-+", "-", re.sub(r" +", " ", line.rstrip())) for line in printed]
    assert command.expected, f"the README shows nothing for {command.text}"
    assert re.fullmatch(pattern(command.expected), "".join(f"{line}\n" for line in tidy)), "\n".join(printed)


def test_the_first_two_commands_are_single_lines_that_make_their_own_environment() -> None:
    install = "python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt -e "
    assert blocks("sh") == [
        f"{install}'.[run]' && .venv/bin/python train.py\n",
        f"{install}'.[test]' && .venv/bin/python -m pytest -n 3 --dist loadfile\n",
    ]
