"""What is asked of sweeps, before and after anything was submitted: nothing is started by it, and no torch imported."""

from __future__ import annotations

import re

from tests.sweeps.project import Project


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
