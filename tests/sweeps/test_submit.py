"""`submit`: each trial is queued once, however often and by how many at once it is typed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from cn.launching.queue import Jobs
from cn.launching.slurm_queue import SlurmQueue
from cn.sweeping.folder.batches import Trial
from cn.sweeping.folder.look import look
from cn.sweeping.folder.store import Store, of_trial
from cn.sweeping.planning.plan import Planned
from cn.sweeping.submitting import submission
from cn.sweeping.submitting.submission import Called
from runs.launch.slurm import Slurm
from sweeps import maximize
from tests.sweeps.cluster import Cluster
from tests.sweeps.project import Project, masked, words


def together(processes: Sequence[subprocess.Popen[str]]) -> list[str]:
    """What they print, once all have ended well."""
    said = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), said
    return [out for out, _ in said]


def spans(project: Project, trials: list[dict[str, Any]]) -> list[tuple[float, float, str]]:
    """From when to when each trial ran, and on which GPU; each has run once."""
    found: list[tuple[float, float, str]] = []
    for trial in trials:
        start, end = project.begun(trial)
        found.append((start["time"], end["ended"], f"{start['node']} {start['gpu']}"))
    return found


def most_at_once(times: list[tuple[float, float, str]]) -> int:
    return max(sum(start <= at < end for start, end, _ in times) for at, _, _ in times)


def test_submitting_returns_while_trials_wait_and_queues_none_of_them_twice(project: Project, place: Sequence[str]):
    holds = "act='hold', at=1, steps=2"
    name = project.sweep("ten", "seeds(10)", base=holds)
    project.hold.parent.mkdir()
    project.hold.touch()
    first = "queued 10 trials: JOB\n  see: python -m sweeps status ten\n"
    assert masked(project.sweeps("submit", name, *place)) == first
    project.until_saved("outputs/sweeps/ten", [1] * 8)
    again = "nothing new to queue (8 running, 2 queued)\n  see: python -m sweeps status ten\n"
    assert project.sweeps("submit", name, *place) == again

    project.sweep(name, "seeds(13)", base=holds)
    more = "queued 3 trials: JOB (8 running, 2 queued)\n  see: python -m sweeps status ten\n"
    assert masked(project.sweeps("submit", name, *place)) == more
    project.hold.unlink()
    assert project.over(name) == {"done": 13}
    times = spans(project, project.trials(name))
    assert most_at_once(times) == 8
    assert project.sweeps("submit", name, *place) == (
        "nothing new to queue (13 done)\n  see: python -m sweeps status ten\n"
    )


def test_two_who_submit_at_the_same_instant_queue_each_trial_once(project: Project, place: Sequence[str]):
    name = project.sweep("twelve", "seeds(12)", base="pause=0.2")
    said = together([project.start("-m", "sweeps", "submit", name, *place) for _ in range(2)])
    queued = [line for each in said for line in each.splitlines() if line.startswith("queued")]
    assert masked(queued[0]) == "queued 12 trials: JOB"
    assert sum("nothing new to queue (" in each for each in said) == len(queued) == 1
    assert project.over(name) == {"done": 12}
    assert len(spans(project, project.trials(name))) == 12
    assert len(list((project.folder / "outputs/sweeps/twelve/jobs").glob("*.jsonl"))) == 1


def test_an_array_has_each_gpu_for_one_trial_at_a_time(project: Project, slurm: Cluster):
    project.hold.parent.mkdir()
    project.hold.touch()
    name = project.sweep("gpus", "seeds(12)", base="act='hold', at=1, steps=2")
    said = project.sweeps("submit", name, *words("slurm", gpus=1, hours=0.5))
    number = re.findall(r"queued 12 trials: (\d+)\n", said)[0]
    assert len(slurm.states(number)) == 12
    project.until_saved("outputs/sweeps/gpus", [1] * 8)
    project.hold.unlink()
    assert project.over(name) == {"done": 12}
    times = spans(project, project.trials(name))
    assert len({gpu for _, _, gpu in times}) == 8
    assert most_at_once(times) == 8
    for (start, end, gpu), (other_start, other_end, other_gpu) in combinations(times, 2):
        assert gpu != other_gpu or end <= other_start or other_end <= start


def test_what_slurm_refuses_leaves_nothing_behind(project: Project, slurm: Cluster):
    name = project.sweep("refused", "seeds(2)")
    said = project.sweeps("submit", name, *words("slurm", partition="lo"), status=2)
    assert said == (
        "SLURM did not take the jobs: Invalid partition name specified; invalid partition specified: lo\n"
        "  nearest: low\n"
        "  to change it: launch.partition=NAME\n"
    )
    assert project.states(name) == {}
    assert project.asked("plan", name)["counts"] == {"new": 2}
    assert not slurm.squeue()
    project.sweeps("submit", name, *words("slurm", partition="low"))
    assert project.over(name) == {"done": 2}


def test_what_slurm_takes_and_cannot_run_is_told(project: Project, slurm: Cluster):
    name = project.sweep("large", "seeds(1)")
    project.sweeps("submit", name, *words("slurm", nodes=3))
    said = project.table(name).replace("PartitionConfig", "PartitionNodeLimit")  # what SLURM's scheduler makes of it
    assert said == (
        "trial       state   step  validation/accuracy  time  what, why\n"
        "ID________  queued                                   seed=0: PartitionNodeLimit\n"
        "\n"
        "1 queued\n"
    )
    again = "python -m sweeps retry large launch=slurm launch.nodes=3\n"
    assert project.sweeps("cancel", name) == f"cancelled 1 trial; to go on with them: {again}"
    project.sweeps("retry", name, *words("slurm", partition="lo"), status=2)
    assert project.sweeps("submit", name).endswith(again)  # not as it was refused
    project.sweeps("retry", name, *words("slurm", gpus=0))
    assert project.over(name) == {"done": 1}


def test_where_keep_leaves_out_every_point_there_is_nothing_to_queue(project: Project):
    name = project.sweep("empty", "seeds(2)")
    path = project.folder / "sweeps/empty.py"
    path.write_text(f"{path.read_text()}\n    def keep(self, trial):\n        return False\n")
    said = "nothing to queue: keep() leaves out every point\n  see: python -m sweeps status empty\n"
    assert project.sweeps("submit", name) == said


@pytest.mark.parametrize(("first", "then"), [(1, 2), (2, 2)])
@pytest.mark.parametrize("where", ["local", "slurm"])
def test_what_is_added_shares_the_places_with_what_runs(
    project: Project, request: pytest.FixtureRequest, where: str, first: int, then: int
):
    """So many at once as the last submission says, of all of the sweep's trials."""
    if where == "slurm":
        request.getfixturevalue(where)
    name = project.sweep("shared", "seeds(3)", base="pause=0.5")
    project.sweeps("submit", name, *words(where, parallel=first))
    project.sweep(name, "seeds(8)", base="pause=0.5")
    project.sweeps("submit", name, *words(where, parallel=then))
    assert project.over(name) == {"done": 8}
    assert most_at_once(spans(project, project.trials(name))) <= then


def test_launches_of_one_submission_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[Jobs] = []

    def noted(self: SlurmQueue, jobs: Jobs) -> str:
        asked.append(jobs)
        return str(len(asked))

    monkeypatch.setattr(SlurmQueue, "submit", noted)
    monkeypatch.setattr(SlurmQueue, "most", lambda self: 1000)
    ids = [f"{number:010d}" for number in range(7)]
    launches = [Slurm(parallel=2, hours=1 + number) for number in range(5)]
    chosen = [Planned(Trial(id, (), {}, of_trial(id)), each) for id, each in zip(ids, launches, strict=False)]
    chosen += [Planned(Trial(id, (), {}, of_trial(id)), Slurm(hours=99)) for id in ids[5:]]
    store = Store(tmp_path / "sweep")
    called = Called("train:train", False, "code", (), None)
    with store.locked():
        submission.submit(store, chosen, look(store), called, goal=maximize("score"))
    assert [(jobs.count, jobs.after) for jobs in asked] == [
        (1, ()),
        (1, ()),
        (1, ("1", "2")),
        (1, ("1", "2")),
        (1, ("3", "4")),
        (2, ()),  # with no limit
    ]


@pytest.mark.parametrize("where", ["local", "slurm"])
def test_trials_with_resources_of_their_own_share_the_places(
    project: Project, request: pytest.FixtureRequest, where: str
):
    if where == "slurm":
        request.getfixturevalue(where)
    name = project.sweep("shared", "seeds(6)", base="pause=0.5")
    path = project.folder / "sweeps/shared.py"
    other = {"local": "Local(parallel=1)", "slurm": "Slurm(parallel=2, hours=2)"}[where]
    own = f"        from runs.launch.{where} import {where.title()}\n\n"
    own += f"        return {other} if trial.seed % 2 else self.launch\n"
    path.write_text(f"{path.read_text()}\n    def resources(self, trial):\n{own}")
    submitted = project.sweeps("submit", name, *words(where, parallel=2))
    assert re.match(r"queued 6 trials: \d+, \d+\n", submitted), submitted
    assert project.over(name) == {"done": 6}
    assert most_at_once(spans(project, project.trials(name))) <= 2


@pytest.mark.slow
def test_a_sweep_may_lie_in_a_folder_of_any_name(tmp_path: Path, place: Sequence[str]):
    project = Project(tmp_path / "it's 100% j")
    name = project.sweep("odd", "seeds(2)")
    folder = "folder=outputs/my sweep %j"
    assert masked(project.sweeps("submit", name, folder, *place)) == (
        "queued 2 trials: JOB\n  see: python -m sweeps status odd 'folder=outputs/my sweep %j'\n"
    )
    assert project.over(name, folder) == {"done": 2}
    assert project.sweeps("logs", "outputs/my sweep %j").count("begins after step 0") == 1
