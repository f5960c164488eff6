"""What a sweep cannot do is refused before anything is planned, with what to write instead."""

from __future__ import annotations

import pytest

from tests.sweeps.project import Project

NULL = {
    "base": ("base: Run = Told()", "base: Run | None = None", "base: Run = Default()"),
    "axes": ("axes: Axes = seeds(2)", "axes: Axes | None = None", 'axes: Axes = grid({"seed": [1, 2]})'),
    "launch": (
        "launch: Launch = Local(parallel=4)",
        "launch: Launch | None = None",
        "launch: Launch = Local()",
    ),
}


@pytest.mark.parametrize("name", NULL)
def test_a_part_that_every_sweep_needs_cannot_be_null(project: Project, name: str):
    project.sweep("two", "seeds(2)")
    written, null, right = NULL[name]
    text = (project.folder / "sweeps/two.py").read_text()
    assert written in text
    project.write("sweeps/two.py", text.replace(written, null))
    assert project.sweeps("plan", "two", status=2) == (
        f"{name} is null, and every sweep needs it\n  write: {right}\n  Two is defined in sweeps/two.py:9\n"
    )
