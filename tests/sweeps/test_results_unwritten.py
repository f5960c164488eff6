"""The results of a sweep are told where its folder takes no file; the status says that files are missing."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cn.cli.sweeps import main
from cn.sweeping.showing import queries
from tests.sweeps.project import Project, masked

FOLDER = "outputs/sweeps/two"
TABLE = """\
value  validation/accuracy  n    best trial
-----  -------------------  ---  ----------
0.2    0.2000               1/1  ID________
0.1    0.1000               1/1  ID________
"""


def refused(*_: Any) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


@pytest.fixture
def two(project: Project) -> Iterator[Project]:
    project.sweep("two", 'grid({"value": [0.1, 0.2]})')
    project.sweeps("submit", "two")
    project.over("two")
    with contextlib.chdir(project.folder):  # not beyond this: the project kills what is in its folder
        yield project


def test_a_read_only_sweep_has_its_table(two: Project, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    monkeypatch.setattr(queries, "write", refused)
    assert main(["results", FOLDER]) == 1
    out, error = capsys.readouterr()
    why = (
        f"cannot write {FOLDER}/results.csv and {FOLDER}/results.png: Read-only file system\n"
        f"  for the numbers as data: python -m sweeps results {FOLDER} --json"
    )
    assert (masked(out), error) == (TABLE, f"{why}\n")
    assert main(["results", FOLDER, "--json"]) == 1
    out, error = capsys.readouterr()
    told = json.loads(out)
    assert [row["mean"] for row in told["rows"]] == [0.2, 0.1]
    assert (told["csv"], told["picture"], told["unwritten"], error) == (None, None, why, f"{why}\n")


def test_what_was_written_is_told(two: Project, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    monkeypatch.setattr("cn.sweeping.showing.picture.picture", refused)
    assert main(["results", FOLDER]) == 1
    out, error = capsys.readouterr()
    assert masked(out) == f"{TABLE}\n{FOLDER}/results.csv\n"
    assert error.startswith(f"cannot write {FOLDER}/results.png: Read-only file system\n")
    assert Path(FOLDER, "results.csv").is_file()
