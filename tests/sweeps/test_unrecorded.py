"""A goal that no trial records: a search ends after the first trials, and a status says so."""

from __future__ import annotations

import pytest

from sweeps import at_most, maximize, minimize
from tests.sweeps.project import Project
from tests.sweeps.test_search import finished, hunt

GOAL = maximize("validation/accuracy")
WHY = "no finished trial recorded 'validation/acuracy'; nearest: validation/accuracy"


@pytest.mark.parametrize("metric", ["loss", "validation/loss", "best/loss"])
def test_a_value_that_is_not_finite_is_recorded(metric: str) -> None:
    assert minimize(metric.removeprefix("best/")).unrecorded({metric: float("nan"), "step": 1}) is None
    assert minimize(metric.removeprefix("best/")).unrecorded({metric: None}) is None


def test_each_goal_and_limit_is_to_be_recorded() -> None:
    recorded = {"state": "finished", "best/validation/accuracy": 0.5, "steps": 3}
    assert GOAL.unrecorded(recorded) is None
    assert GOAL.unrecorded({}) is None  # no trial is done
    assert maximize("validation/acuracy").unrecorded(recorded) == WHY
    told = "no finished trial recorded 'parameters'; choose from: steps, validation/accuracy"
    assert (GOAL & minimize("parameters")).unrecorded(recorded) == told
    assert (GOAL & at_most("parameters", 10)).unrecorded(recorded) == told


def test_a_search_for_a_goal_that_no_trial_records_ends_after_the_first_and_goes_on_with_another(project: Project):
    name = hunt(project, "Random(trials=4)", parallel=1)
    project.sweeps("submit", name, "goal.metric=validation/acuracy")
    assert finished(project, name) == {"done": 1}
    said = project.sweeps("status", name, "goal.metric=validation/acuracy")
    assert f"\n1 of 4 points are asked; the search ended: {WHY}\n" in said
    project.sweeps("submit", name, "goal.metric=validation/acuracy")
    assert finished(project, name) == {"done": 1}
    project.sweeps("submit", name)
    assert finished(project, name) == {"done": 4}
    assert project.sweeps("status", name).endswith("\n\n4 done\n4 of 4 points are asked\n")


def test_a_trial_without_the_value_beside_others_that_have_it_ends_no_search(project: Project):
    """It counts as a point that failed."""
    door = (project.folder / "train.py").read_text()
    assert '"best/validation/accuracy": value, ' in door
    odd = '**({"best/validation/accuracy": value} if run.seed else {}), '
    project.write("train.py", door.replace('"best/validation/accuracy": value, ', odd))
    name = hunt(project, "Random(trials=4)", axes='space({"seed": integers(0, 3)})', parallel=1)
    point = "search.first=[{seed: 1}, {seed: 0}, {seed: 2}, {seed: 3}]"
    project.sweeps("submit", name, point)
    assert finished(project, name) == {"done": 4}


def test_the_status_of_a_sweep_says_that_its_goal_is_not_recorded(project: Project):
    name = project.sweep("two", 'grid({"value": [0.1, 0.2]})')
    project.sweeps("submit", name)
    assert project.over(name) == {"done": 2}
    assert project.sweeps("status", name).endswith("\n\n2 done\n")
    assert project.sweeps("status", name, "goal.metric=validation/acuracy").endswith(f"\n\n2 done\n{WHY}\n")
