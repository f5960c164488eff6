"""`report`: a page with what became of each trial."""

from __future__ import annotations

import json

import pytest

from tests.sweeps.project import Project

pytest.importorskip("plotly", reason="plotly is not installed: .[report]")


@pytest.mark.slow
def test_a_sweep_has_a_page_with_its_trials_and_commands(project: Project) -> None:
    name = project.sweep("three", 'grid({"value": [0.25, 0.5, 0.75]}) * seeds(2)')
    told = project.sweeps("report", name, status=2)
    assert told == f"nothing of {name} was submitted\n  write: python -m sweeps submit {name}\n"
    project.sweeps("submit", name)
    project.wait("outputs/sweeps/three", lambda reports: len(reports) == 6)
    assert project.sweeps("report", name) == "outputs/sweeps/three/report.html\n"
    told = json.loads(project.sweeps("report", name, "--json"))
    assert told["counts"] == {"done": 6}
    assert sorted(told["fields"]) == ["seed", "value"]
    assert sorted(each["goal"] for each in told["entries"]) == sorted([0.25, 0.25, 0.5, 0.5, 0.75, 0.75])
    assert told["commands"]["made by"] == f"python -m sweeps submit {name}"
    assert told["commands"]["repeats the best"].startswith("python train.py")
    assert [row["mean"] for row in told["settings"]] == [0.75, 0.5, 0.25]
