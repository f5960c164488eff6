"""The pages of the documentation, read as steps that a test runs, and what is printed compared with what is shown.

Each page is run in a copy of the repository of its own, from top to bottom:

    ```console   commands after `$ `, each with the lines that it prints
    ```sh        lines of shell, which succeed and print nothing: they write a file, or make a folder
    ```python    a program, which succeeds and prints nothing

Another processor computes other last digits, so a decimal number is compared with the tolerance CLOSE. A value that
was set (`name=0.1`) must be the same; seconds may be any. Nearly equal figures decide which validation is `(best)` and
which trial is: `(best)` may be there or not, and any trial may stand for any other. Any whole number may stand for any
other too: a date, a line of a file, the step of the best validation. A line `...` stands for any lines.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from tests import warm

ROOT = Path(__file__).parents[1]
README = ROOT / "READ_THIS_FIRST.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
CLOSE = 0.03  # of a loss or an accuracy: 5 of the 180 images that the digits are validated with
INSTALL = "python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt -e "
ELSEWHERE = [  # lines of the README that are not run here, since the first two install packages and two run all tests
    f"{INSTALL}'.[run]' && .venv/bin/python train.py\n",
    f"{INSTALL}'.[test]' && .venv/bin/python -m pytest -n 4 --dist loadfile -m \"not long\"\n",
    'python -m pytest -n 2 --dist worksteal -m "not slow and not slurm"\n',
]
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


class Step(NamedTuple):
    """A command, a shell line or a program, with its expected output, from one place of a page."""

    kind: Literal["console", "sh", "python"]
    line: int  # of the page
    text: str
    expected: list[str]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def steps(page: Path) -> list[Step]:
    """Return all steps of a page in order."""
    return [step for step in _blocks(page.read_text()) if step.text not in ELSEWHERE]


def _blocks(text: str) -> Iterator[Step]:
    for block in re.finditer(r"^```(console|sh|python)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
        kind: Literal["console", "sh", "python"] = block[1]  # pyright: ignore[reportAssignmentType]
        line = text.count("\n", 0, block.start(2)) + 1
        if kind != "console":
            yield Step(kind, line, block[2], [])
            continue
        for part in re.finditer(r"^\$ (.*?)\n(.*?)(?=^\$ |\Z)", block[2], flags=re.MULTILINE | re.DOTALL):
            shown = part[2].rstrip("\n").split("\n") if part[2] else []
            yield Step(kind, line + block[2].count("\n", 0, part.start()), part[1], shown)


def copy(to: Path) -> Path:
    """Copy the repository without ignored files; projects beside the copy import the copy's `cn`."""
    folder = to / "cn"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".*", "outputs", "*.egg-info", "build", "*.pyc.*"))
    (to / "library").mkdir()
    (to / "library/cn").symlink_to(folder / "cn")
    _python(to / "bin/python")
    return folder


def _python(path: Path) -> None:
    """Write a `python` for which `python train.py` is forked from a process that has imported torch."""
    path.parent.mkdir()
    warmed = shlex.join([sys.executable, "-S", warm.__file__, "ask", warm.torch().address])
    train = f'[ "$1" = train.py ] && exec {warmed} "$@"'
    path.write_text(f'#!/bin/sh\n{train}\nexec {shlex.quote(sys.executable)} "$@"\n')
    path.chmod(0o755)


def run(step: Step, folder: Path) -> tuple[int, list[str]]:
    """Run a step in a copy of the repository; return its exit status and output lines."""
    command = {"console": ["bash", "-c"], "sh": ["bash", "-euc"], "python": [sys.executable, "-c"]}[step.kind]
    done = subprocess.run(
        [*command, step.text],
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.rstrip("\n").split("\n") if done.stdout else []


def _environment(folder: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "PYTHONDONT"))}
    return kept | {
        "PATH": os.pathsep.join([f"{folder.parent}/bin", str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(folder.parent / "library"),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "120",
        "HF_HOME": str(folder.parent / "hub"),
        "PYTEST_DEBUG_TEMPROOT": str(folder.parent),  # in /tmp, pytest would first delete the folders of other tests
    }


def wrong(step: Step, status: int, printed: list[str]) -> str | None:
    """Return the difference to the page's output, or None."""
    if step.kind != "console":
        return f"exit status {status}" if status else "it prints, and nothing is shown" if printed else None
    return differences(step.expected, printed) if step.expected or printed else None


def differences(expected: list[str], printed: list[str]) -> str | None:
    """Return what is wrong with the output, or None."""
    shown, lines = _tidy(expected), _tidy(printed)
    texts = ["".join(f"{line}\n" for line in each) for each in (shown, lines)]
    one, other = (re.fullmatch(_pattern(shown), text) for text in texts)
    if one is None or other is None:
        return "other lines"
    pairs = zip(one.groups(), other.groups(), strict=True)
    far = [f"{a} is shown, {b} is printed" for a, b in pairs if abs(float(a) - float(b)) > CLOSE]
    return ", ".join(far) or None


def _tidy(lines: list[str]) -> list[str]:
    """Return the text without the width of tables, and without what pytest adds to more than a minute: ` (0:03:03)`."""
    texts = [re.sub(r"(?<=\ds) \(\d+:\d\d:\d\d\)$", "", line.rstrip()) for line in lines]
    return [re.sub(r"-+", "-", re.sub(r" +", " ", text)) for text in texts]


def _pattern(expected: list[str]) -> str:
    """Return a regular expression for the lines, with a group for each number that is compared approximately."""
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
