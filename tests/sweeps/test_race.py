"""With `race`, a point whose first seed is clearly worse than the best is measured with no other seed."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from random import Random

import pytest

from cn.sweeping.search.race import goes_on
from tests.sweeps.project import Project
from tests.sweeps.test_search import finished, hunt, kill, points

VALUES = [0.5, 0.6, 0.3, 0.605, 0.59]
FIRST = [{"value": value} for value in VALUES]
AXES = 'space({"value": log_uniform(1e-3, 1)}) * seeds(3)'


@pytest.fixture
def noisy(project: Project) -> Project:
    """A project whose runs come to 0.01 more with each seed."""
    door = (project.folder / "train.py").read_text()
    project.write("train.py", door.replace("value = run.value", "value = run.value + 0.01 * run.seed"))
    return project


def test_a_point_goes_on_unless_it_is_worse_than_the_best_mean_by_more_than_the_spreads() -> None:
    measured = [[0.1, 0.3], [0.7, 0.9]]  # the pooled spread is the square root of 0.02
    spread = math.sqrt(0.02)
    assert goes_on(0.8 - 2 * spread + 1e-9, measured, 2)
    assert not goes_on(0.8 - 2 * spread - 1e-9, measured, 2)
    assert goes_on(0.8, measured, 0)
    assert not goes_on(0.79, measured, 0)
    assert goes_on(-9.0, measured[:1], 2)  # too few to know the spread


def test_the_other_seeds_of_a_point_are_run_unless_its_first_is_clearly_worse(noisy: Project):
    name = hunt(noisy, f"Random(trials=5, race=2, first={FIRST})", axes=AXES, parallel=1)
    assert noisy.sweeps("plan", name).splitlines()[3] == (
        "each point is measured 3 times, unless its first seed is clearly worse than the best"
    )
    noisy.sweeps("submit", name)
    assert finished(noisy, name) == {"done": 11}
    assert [point["values"] for point in points(noisy)] == FIRST
    rows = noisy.asked("results", name)["rows"]
    counts = {round(row["values"][-1]["value"], 3): (row["count"], row["expected"]) for row in rows}
    assert counts == {0.605: (3, 3), 0.6: (3, 3), 0.59: (1, 1), 0.5: (3, 3), 0.3: (1, 1)}
    seeds = {trial["words"][0]: [] for trial in noisy.trials(name)}
    for trial in noisy.trials(name):
        seeds[trial["words"][0]].append(trial["words"][1])
    assert seeds["value=0.3"] == ["seed=0"]
    assert sorted(seeds["value=0.605"]) == ["seed=0", "seed=1", "seed=2"]
    assert "nothing new to queue (11 done)" in noisy.sweeps("submit", name)


@pytest.mark.long
def test_a_race_that_is_killed_at_random_moments_measures_the_same_points(noisy: Project):
    name = hunt(noisy, "Tpe(trials=30, race=1)", axes=AXES, base="pause=0.02", parallel=4)
    moments = Random(0)
    for _ in range(6):
        noisy.sweeps("submit", name)
        time.sleep(moments.uniform(0.3, 1.5))
        kill(noisy)
    noisy.sweeps("submit", name)
    raced(noisy, name, 30, 1)


def raced(project: Project, name: str, count: int, race: float, *words: str) -> None:
    """Wait for the end; each point has one or all seeds, and those with one are clearly worse than the best."""
    counts = finished(project, name)
    assert "nothing new to queue" in project.sweeps("submit", name, *words)
    rows = project.asked("results", name)["rows"]
    assert len(points(project)) == len(rows) == count
    assert counts == {"done": sum(row["count"] for row in rows)}
    assert {row["count"] for row in rows} == {1, 3}
    measured = [[each["value"] for each in row["values"]] for row in rows if row["count"] == 3]
    alone = [row["values"][0]["value"] for row in rows if row["count"] == 1]
    assert not any(goes_on(value, measured, race) for value in alone)
    assert max(map(statistics.fmean, measured)) > max(alone)


def test_a_race_comes_to_its_end_in_one_process_and_in_jobs_of_an_array(noisy: Project, place: Sequence[str]):
    name = hunt(noisy, "Random(trials=14, race=1)", axes=AXES)
    noisy.sweeps("submit", name, *place)
    raced(noisy, name, 14, 1, *place)


def test_a_damaged_file_of_further_seeds_is_named_and_mended(noisy: Project):
    name = hunt(noisy, f"Random(trials=5, race=2, first={FIRST})", axes=AXES, parallel=1)
    noisy.sweeps("submit", name)
    finished(noisy, name)
    path = noisy.folder / "outputs/sweeps/hunt/search/further-000001.json"
    path.write_text("{")
    assert "outputs/sweeps/hunt/search/further-000001.json is damaged: it holds no JSON" in noisy.sweeps("status", name)
    noisy.sweeps("retry", name)
    assert "is damaged" not in noisy.sweeps("status", name)
    noisy.sweeps("submit", name)  # the point goes on again, and finds its seeds done
    assert finished(noisy, name) == {"done": 11}
    assert len(noisy.reports("outputs/sweeps/hunt")) == 11


def test_a_submission_without_a_race_runs_the_seeds_that_it_left_out(noisy: Project):
    name = hunt(noisy, f"Random(trials=5, race=2, first={FIRST})", axes=AXES, parallel=1)
    noisy.sweeps("submit", name)
    assert finished(noisy, name) == {"done": 11}
    assert noisy.sweeps("plan", name, "search.race=null").splitlines()[-2:] == [
        "each point is measured 3 times",
        "to submit: 1 worker on this machine",
    ]
    assert "to submit: " not in noisy.sweeps("plan", name, "search.race=null", "base.steps=2")  # another configuration
    noisy.sweeps("submit", name, "search.race=null")
    assert finished(noisy, name) == {"done": 15}
    assert [len(noisy.begun(trial)) for trial in noisy.trials(name)] == [2] * 15  # it began and ended, once
    assert [row["count"] for row in noisy.asked("results", name)["rows"]] == [3] * 5
    assert len(points(noisy)) == 5
    for word in ("search.race=null", "search.race=2"):
        assert "nothing new to queue (15 done)" in noisy.sweeps("submit", name, word)


def test_seeds_that_are_added_to_a_search_are_run_at_each_point(noisy: Project):
    name = hunt(noisy, f"Random(trials=6, first={FIRST})", axes=AXES.replace("seeds(3)", "seeds(2)"))
    noisy.sweeps("submit", name)
    assert finished(noisy, name) == {"done": 12}
    hunt(noisy, f"Random(trials=6, first={FIRST})", axes=AXES)
    noisy.sweeps("submit", name)
    assert finished(noisy, name) == {"done": 18}
    assert [row["count"] for row in noisy.asked("results", name)["rows"]] == [3] * 6


def test_a_race_of_one_seed_is_refused(project: Project):
    name = hunt(project)
    assert project.sweeps("plan", name, "search.race=2", status=2) == (
        "search.race leaves out further seeds of a point, and each point is measured once; write: axes: Axes = "
        "space({...}) * seeds(3)\n  Hunt is defined in sweeps/hunt.py:9\n"
    )
