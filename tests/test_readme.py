"""Every command of READ_THIS_FIRST.md runs in a copy of the repository, and prints what is written there.

Another processor computes other last digits, so a decimal number is compared with the tolerance CLOSE. A value that
was set (`name=0.1`) must be the same; seconds may be any. Nearly equal figures decide which validation is `(best)` and
which trial is: `(best)` may be there or not, and any trial may stand for any other. Any whole number may stand for any
other too: a date, a line of a file, the step of the best validation. A line `...` stands for any lines.
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
CLOSE = 0.03  # of a loss or an accuracy: 5 of the 180 images that the digits are validated with
FREE = re.compile(
    r"(?P<best> \(best\))|(?P<trial>\b(?:[0-9a-f]{2}/)?[0-9a-f]{10}\b)|(?P<given>(?<==)\d+\.\d+)"
    r"|(?P<measured>(?<![=\d])\d+\.\d+(?![\d.s]))|(?P<whole>-?\d+(?:[.,_]\d+)*)"
)
STANDS_FOR = {
    "best": r"(?: \(best\))?",
    "trial": r"(?:[0-9a-f]{2}/)?[0-9a-f]{10}",
    "measured": r"(\d+(?:\.\d+)?)",
    "whole": r"-?[\d.,_-]+",
}


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
    """A regular expression for the lines, with a group for each number that has to be close to the one shown."""
    parts = [r"(?:.*\n)*" if line.strip() == "..." else _loose(line) + "\n" for line in expected]
    return "".join(parts)


def _loose(line: str) -> str:
    parts, end = [], 0
    for found in FREE.finditer(line):
        kind = str(found.lastgroup)
        kind = "whole" if kind == "measured" and line.startswith("seconds") else kind
        parts += [re.escape(line[end : found.start()]), STANDS_FOR.get(kind, re.escape(found[0]))]
        end = found.end()
    return "".join([*parts, re.escape(line[end:])])


def tidy(lines: list[str]) -> list[str]:
    """Without how wide a table is."""
    return [re.sub(r"-+", "-", re.sub(r" +", " ", line.rstrip())) for line in lines]


def differences(expected: list[str], printed: list[str]) -> str | None:
    """What is wrong with what was printed, if anything."""
    shown, lines = tidy(expected), tidy(printed)
    texts = ["".join(f"{line}\n" for line in each) for each in (shown, lines)]
    one, other = (re.fullmatch(pattern(shown), text) for text in texts)
    if one is None or other is None:
        return "other lines"
    pairs = zip(one.groups(), other.groups(), strict=True)
    far = [f"{a} is shown, {b} is printed" for a, b in pairs if abs(float(a) - float(b)) > CLOSE]
    return ", ".join(far) or None


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy(tmp_path_factory.mktemp("readme") / "cn")


@pytest.mark.parametrize("command", list(commands()), ids=lambda command: command.text)
def test_a_command_prints_what_the_readme_shows(command: Command, repository: Path) -> None:
    printed = run(command.text, repository)
    assert command.expected, f"the README shows nothing for {command.text}"
    assert differences(command.expected, printed) is None, "\n".join(printed)


SHOWN = ["accuracy 0.9778 (best), at step 624", "trial 984f7219ef optim.lr=0.008 in 0.19s", "seconds  10.252  12.896"]


@pytest.mark.parametrize(
    ("printed", "told"),
    [
        (SHOWN, None),
        (["accuracy 1 (best), at step 1560", "trial b99225abb2 optim.lr=0.008 in 2s", "seconds 5 7.1"], None),
        (["accuracy 0.9611, at step 39", *SHOWN[1:]], None),
        (["accuracy 0.9444, at step 624", *SHOWN[1:]], "0.9778 is shown, 0.9444 is printed"),
        ([SHOWN[0], "trial 984f7219ef optim.lr=0.009 in 0.19s", SHOWN[2]], "other lines"),
        (SHOWN[:2], "other lines"),
    ],
    ids=["same", "other digits", "not best", "another accuracy", "another value", "a line less"],
)
def test_a_measured_number_is_close_to_the_one_shown(printed: list[str], told: str | None) -> None:
    assert differences(SHOWN, printed) == told


def test_the_first_two_commands_are_single_lines_that_make_their_own_environment() -> None:
    install = "python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt -e "
    assert blocks("sh") == [
        f"{install}'.[run]' && .venv/bin/python train.py\n",
        f"{install}'.[test]' && .venv/bin/python -m pytest -n 3 --dist loadfile\n",
    ]
