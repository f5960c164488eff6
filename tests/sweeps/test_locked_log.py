"""A trial whose log is locked, since a process of an earlier attempt still runs it, waits while others are trained."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from typing import IO

import pytest

from cn.sweeping.job import supervisor
from tests.sweeps.project import Project
from tests.sweeps.test_search import kill

VALUES = "points([{'act': 'hold'}, {'value': 0.2}, {'value': 0.3}])"
FOLDER = "outputs/sweeps/values"


@pytest.fixture
def impatient(project: Project) -> None:
    """A supervisor waits for another process for 1 s only."""
    file = "cn/sweeping/job/supervisor.py"
    text = (project.folder / file).read_text()
    assert f"CLAIM = {supervisor.CLAIM} " in text
    project.write(file, text.replace(f"CLAIM = {supervisor.CLAIM} ", "CLAIM = 1 "))


@pytest.fixture
def locked(project: Project) -> Iterator[IO[bytes]]:
    """The log of the first of three trials, whose supervisor was killed; the test's process has locked it."""
    project.sweep("values", VALUES)
    project.hold.parent.mkdir()
    project.hold.touch()
    project.sweeps("submit", "values", "launch.parallel=1")
    project.until("values", lambda counts: counts.get("running") == 1)
    kill(project, FOLDER)
    project.hold.unlink()
    (log,) = (project.folder / FOLDER).glob("trials/*/*/output.txt")
    with log.open("ab") as file:
        project.wait_for(lambda: supervisor.trial_process.claim(file))
        yield file


def test_trials_behind_one_that_another_process_runs_do_not_wait_for_it(project: Project, locked: IO[bytes]):
    project.sweeps("retry", "values")
    assert project.until("values", lambda counts: counts.get("done") == 2) == {"done": 2, "queued": 1}
    fcntl.flock(locked, fcntl.LOCK_UN)
    assert project.over("values") == {"done": 3}


@pytest.mark.usefixtures("impatient")
def test_a_trial_that_another_process_does_not_let_go_fails_with_the_reason(project: Project, locked: IO[bytes]):
    project.sweeps("retry", "values")
    assert project.over("values") == {"done": 2, "failed": 1}
    assert project.trials("values")[0]["reason"] == "another process has run it for 1 s and has not ended"
    fcntl.flock(locked, fcntl.LOCK_UN)
    project.sweeps("retry", "values")
    assert project.over("values") == {"done": 3}


def test_a_trial_that_waits_for_another_process_can_be_cancelled(project: Project, locked: IO[bytes]):
    project.sweeps("retry", "values")
    project.until("values", lambda counts: counts.get("done") == 2)
    project.sweeps("cancel", "values")
    assert project.over("values") == {"done": 2, "cancelled": 1}
