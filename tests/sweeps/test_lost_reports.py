"""What a run folder calls finished is never trained again, whatever else of the trial is lost or damaged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sweeps.project import Project

FOLDER = "outputs/sweeps/two"
LOSSES: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "empty": lambda path: path.write_text(""),
    "still running": lambda path: path.write_text(path.read_text().replace('"done"', '"running"')),
    "waiting": lambda path: path.write_text(path.read_text().replace('"done"', '"waiting"')),
}


@pytest.fixture
def done(project: Project) -> Project:
    """A sweep of two finished trials."""
    project.sweep("two", "seeds(2)")
    project.sweeps("submit", "two")
    assert project.over("two") == {"done": 2}
    return project


def reports(project: Project) -> list[Path]:
    return sorted((project.folder / FOLDER).glob("trials/*/*/trial.json"))


def begun(project: Project) -> int:
    """How often trials began."""
    notes = (project.folder / FOLDER).glob("trials/*/*/begun")
    return sum(path.read_text().count('"step"') for path in notes)


@pytest.mark.parametrize("loss", LOSSES)
def test_no_verb_queues_what_is_finished(done: Project, loss: str):
    for path in reports(done):
        LOSSES[loss](path)
    assert done.states("two") == {"done": 2}
    assert done.sweeps("submit", "two").startswith("nothing new to queue (2 done)\n")
    assert done.sweeps("retry", "two").startswith("nothing to run again (2 done)\n")
    assert [report["state"] for report in done.reports(FOLDER)] == ["done", "done"]  # retry writes them again
    assert done.asked("status", "two")["damaged"] == []
    assert begun(done) == 2


@pytest.mark.parametrize("loss", LOSSES)
def test_a_job_that_starts_trains_nothing_that_is_finished(done: Project, loss: str):
    for path in reports(done):
        LOSSES[loss](path)
    (batch,) = (done.folder / FOLDER / "jobs").glob("*.jsonl")
    (code,) = (done.folder / FOLDER / "code").glob("[!.]*")
    done.type("-m", "cn.sweeping.job", FOLDER, batch.stem, PYTHONPATH=str(code), PYTHONSAFEPATH="1")
    assert begun(done) == 2


def test_finished_trials_that_no_batch_tells_of_are_done(done: Project):
    shutil.rmtree(done.folder / FOLDER / "jobs")
    for path in reports(done):
        path.unlink()
    assert done.asked("plan", "two")["counts"] == {"done": 2}
    assert done.sweeps("submit", "two").startswith("nothing new to queue (2 done)\n")
    assert done.sweeps("best", "two").startswith("python train.py run=told seed=0\n")
    assert begun(done) == 2


def test_a_run_goes_on_though_its_report_and_configuration_are_lost(project: Project):
    name = project.sweep("two", "points([{'act': 'exit'}, {'act': 'exit', 'seed': 5}])", base="at=3, steps=8")
    project.sweeps("submit", name)
    assert project.over(name) == {"failed": 2}
    one, two = (Path(project.folder / each["folder"]) for each in project.trials(name))
    (one / "trial.json").unlink()
    (one / "config.json").write_text("")
    (two / "trial.json").write_text("[]")
    (two / "config.json").unlink()
    assert project.states(name) == {"failed": 1, "damaged": 1}
    project.sweeps("retry", name)
    assert project.over(name) == {"failed": 2}
    for trial in project.trials(name):
        assert [each["step"] for each in project.begun(trial)] == [0, 3]
