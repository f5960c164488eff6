"""A trial that is done stays done, though its id was made by another rule or it would be computed elsewhere now."""

from __future__ import annotations

import re

import pytest

from tests.sweeps.project import Project

TWO = 'grid({"value": [0.1, 0.2]})'


@pytest.fixture
def old(project: Project) -> list[str]:
    """A sweep on the CPU, done, with the ids and folders of a version whose hash held `gpu` too; its trials."""
    project.sweep("two", TWO, base="gpu=-1")
    project.sweeps("submit", "two")
    project.over("two")
    folder = project.folder / "outputs/sweeps/two"
    (batch,) = folder.glob("jobs/*.jsonl")
    text, ids = batch.read_text(), []
    for number, each in enumerate(sorted(folder.glob("trials/??/*"))):
        name = f"{number}a{number}b{number}c{number}d{number}e"
        text = text.replace(f"{each.parent.name}/{each.name}", f"{name[:2]}/{name}").replace(each.name, name)
        (folder / "trials" / name[:2]).mkdir()
        each.rename(folder / "trials" / name[:2] / name)
        ids.append(name)
    batch.write_text(text)
    return ids


@pytest.mark.parametrize("base", ["gpu=-1", "", "gpu=0, log_every=3", "logger={'csv': Csv()}"])
def test_trials_of_an_older_hash_are_found_with_their_results(project: Project, old: list[str], base: str):
    project.sweep("two", TWO, base=base)
    path = project.folder / "sweeps/two.py"
    path.write_text("from runs.logger.csv import Csv\n" + path.read_text())
    plan = project.asked("plan", "two")
    assert sorted(each["id"] for each in plan["trials"]) == old
    assert (plan["counts"], plan["gone"], plan["changed"]) == ({"done": 2}, [], {})
    assert project.sweeps("submit", "two").startswith("nothing new to queue (2 done)")
    assert [row["mean"] for row in project.asked("results", "two")["rows"]] == [0.2, 0.1]
    assert project.sweeps("retry", "two").startswith("nothing to run again (2 done)")


def test_what_another_run_came_to_is_not_taken(project: Project, old: list[str]):
    project.sweep("two", TWO, base="steps=2")
    plan = project.asked("plan", "two")
    assert plan["counts"] == {"new": 2}
    assert sorted(plan["changed"]) == old
    assert all(each == ["steps=1 (now 2)"] for each in plan["changed"].values())


def test_what_failed_under_an_older_hash_is_run_again_in_its_folder(project: Project, old: list[str]):
    project.sweep("two", TWO)
    for path in project.folder.glob("outputs/sweeps/two/trials/??/*/trial.json"):
        path.write_text(path.read_text().replace('"done"', '"failed"'))
        (path.parent / "summary.json").unlink()
    assert re.match(r"queued 2 trials: \d+\n", project.sweeps("retry", "two"))
    project.over("two")
    plan = project.asked("plan", "two")
    assert (sorted(each["id"] for each in plan["trials"]), plan["counts"]) == (old, {"done": 2})


def test_an_axis_of_what_says_where_gives_a_trial_for_each_value(project: Project):
    project.sweep("where", 'grid({"log_every": [1, 2, 10]}) * grid({"seed": [1, 2]})')
    assert project.asked("plan", "where")["counts"] == {"new": 6}
    assert project.type("train.py", "run=told", "-m", "gpu=-1,null").count("begins after step 0") == 2
