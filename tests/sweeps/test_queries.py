"""What is asked of sweeps, before and after anything was submitted: nothing is started by it, and no torch imported."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.sweeps.project import Project, words


def test_of_what_was_never_submitted_every_verb_says_so(project: Project):
    name = project.sweep("never", "seeds(2)")
    never = "nothing of never was submitted\n  write: python -m sweeps submit never\n"
    assert project.sweeps("status", name) == never
    assert project.sweeps("status", name, "-w").strip() == never.strip()
    assert (
        project.sweeps("logs", name, status=2) == "no trial of never has begun\n  see: python -m sweeps status never\n"
    )
    assert project.sweeps("best", name, status=2) == never
    assert project.sweeps("results", name, status=2) == never
    assert project.sweeps("cancel", name, status=2) == never
    assert project.sweeps("retry", name, status=2) == never
    assert not (project.folder / "outputs").exists()
    assert project.asked("status", name) == {"counts": {}, "trials": [], "folder": "outputs/sweeps/never"}
    said = project.sweeps("status", "nevr", status=2)
    assert re.sub(r":\d+", ":0", said) == (
        "no sweep is called 'nevr'\n"
        "  options are the subclasses of Sweep (sweeps/__init__.py:0)\n"
        "  nearest: never\n"
        "  see: python -m sweeps\n"
    )


def test_no_verb_imports_torch(project: Project):
    project.write("without/sitecustomize.py", "import sys\nsys.modules['torch'] = None  # an import of it fails\n")
    name = project.sweep("light", "seeds(2)")
    without = str(project.folder / "without")
    said: dict[str, str] = {}
    for verb in ("plan", "submit", "status", "logs", "retry", "results", "best", "cancel"):
        said[verb] = project.type("-m", "sweeps", verb, name, PYTHONPATH=without)
        if verb == "submit":
            project.over(name)
    said["every"] = project.type("-m", "sweeps", PYTHONPATH=without)
    assert project.states(name) == {"done": 2}, said


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            "status two --josn",
            "unrecognized arguments: --josn\n  nearest: --json\n  see: python -m sweeps --help",
        ),
        ("plan two -m seed=1,2", "-m is train.py's: what a sweep varies are the axes of its class"),
        (
            "plan two base.seed=1,2",
            "base.seed=1,2 stands for several runs, and one was asked for\n  for one list: 'base.seed=[1,2]'",
        ),
        ("logs two -w", "-w watches a status\n  write: python -m sweeps status NAME -w"),
        ("-w", "-w watches a status\n  write: python -m sweeps status NAME -w"),
        ("plan two three", "'three' cannot be read as NAME=VALUE\n  write: python -m sweeps plan two"),
        ("plan seed=1", "plan of which sweep?\n  see: python -m sweeps"),
        ("pln two", "there is no verb 'pln'\n  nearest: plan\n  see: python -m sweeps -h"),
    ],
)
def test_what_cannot_be_asked_is_told_with_what_can(project: Project, typed: str, said: str):
    project.sweep("two", "seeds(2)")
    assert project.sweeps(*typed.split(), status=2) == f"{said}\n"


def test_a_damaged_file_of_one_trial_does_not_hide_the_others(project: Project):
    name = project.sweep("two", "seeds(2)", base="act='hold', at=1, steps=2")
    project.hold.parent.mkdir()
    project.hold.touch()
    project.sweeps("submit", name, *words("local", parallel=2))
    project.until_saved("outputs/sweeps/two", [1, 1])
    first, _ = project.trials(name)
    metrics = project.folder / first["folder"] / "metrics.jsonl"
    metrics.write_text("torn\n")
    told = f"{Path(first['folder'], 'metrics.jsonl')} holds a line that is no record: torn"
    assert [(each["step"], each["reason"]) for each in project.trials(name)] == [(None, told), (1, None)]
    project.hold.unlink()
    assert project.over(name) == {"done": 2}


def test_a_reader_that_goes_away_is_no_error(project: Project):
    name = project.sweep("long", "seeds(30)")
    process = project.start("-m", "sweeps", "plan", name, "--json")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert (process.stderr.read(), process.wait()) == ("", 141)
    process.stderr.close()
