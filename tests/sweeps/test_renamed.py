"""A sweep whose class has another name now keeps its trials."""

from __future__ import annotations

import re

import pytest

from tests.sweeps.project import Project

NOTED = '    _was_ = ("sweeps.values.Values",)\n'


@pytest.fixture
def renamed(project: Project) -> Project:
    """Two trials are done, and sweeps/values.py is sweeps/numbers.py since."""
    project.sweep("values", 'grid({"value": [0.1, 0.2]})')
    project.sweeps("submit", "values")
    project.over("values")
    (project.folder / "sweeps/values.py").unlink()
    project.sweep("numbers", 'grid({"value": [0.1, 0.2]})')
    return project


def note(project: Project) -> None:
    path = project.folder / "sweeps/numbers.py"
    project.write("sweeps/numbers.py", path.read_text().replace("    base: Run", f"{NOTED}\n    base: Run"))


def test_what_is_done_under_an_old_name_counts_as_done(renamed: Project):
    assert "\n2 new\n" in renamed.sweeps("plan", "numbers")
    note(renamed)
    assert renamed.sweeps("plan", "numbers").endswith("\n2 done\n")
    assert renamed.sweeps("submit", "numbers") == (
        "nothing new to queue (2 done)\n  see: python -m sweeps status numbers\n"
    )
    renamed.sweep("numbers", 'grid({"value": [0.1, 0.2, 0.3]})')
    note(renamed)
    renamed.sweeps("submit", "numbers")
    assert renamed.over("numbers") == {"done": 3}
    assert [path.name for path in (renamed.folder / "outputs/sweeps").iterdir()] == ["values"]


def test_a_sweep_that_has_the_old_name_now_keeps_its_folder(renamed: Project):
    note(renamed)
    renamed.sweep("values", 'grid({"value": [0.1, 0.2]})')
    assert "\n2 new\n" in renamed.sweeps("plan", "numbers")
    assert renamed.states("values") == {"done": 2}


def test_an_unknown_name_says_where_its_trials_are(renamed: Project):
    said = renamed.sweeps("status", "values", status=2)
    assert re.sub(r":\d+\)", ":0)", said) == (
        "no sweep is called 'values'\n"
        "  options are the subclasses of Sweep (sweeps/__init__.py:0)\n"
        "  choose from: numbers\n"
        "  its trials are in outputs/sweeps/values: python -m sweeps status outputs/sweeps/values\n"
        "  see: python -m sweeps\n"
    )
    assert renamed.states("outputs/sweeps/values") == {"done": 2}
