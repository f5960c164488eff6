"""Jobs that hold several trials, and sweeps larger than one array."""

from __future__ import annotations

import os
import shutil
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.sweeps.cluster import Cluster
from tests.sweeps.project import Project, words

OURS = ("trial.json", "output.txt")  # of each trial


def spans(project: Project, trials: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """From when to when each trial ran; each has run once."""
    notes = [project.begun(trial) for trial in trials]
    return [(start["time"], end["ended"]) for start, end in notes]


def most_at_once(times: list[tuple[float, float]]) -> int:
    return max(sum(start <= at < end for start, end in times) for at, _ in times)


def counting(folder: Path) -> str:
    """A PATH on which SLURM's commands note that they were called."""
    folder.mkdir()
    for name in ("squeue", "sacct", "scontrol", "sinfo"):
        (folder / name).write_text(f'#!/bin/sh\necho {name} >> {folder}/calls\nexec {shutil.which(name)} "$@"\n')
        (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@pytest.mark.parametrize("in_turn", [False, True])
def test_trials_that_share_a_job_each_have_their_own_log_and_state(project: Project, slurm: Cluster, in_turn: bool):
    holds = "grid({'act': ['hold'], 'value': [0.1, 0.2, 0.3, 0.4, 0.6, 0.7]})"
    axes = f"points([{{'act': 'raise'}}, {{'act': 'exit'}}]) + {holds}"
    name = project.sweep("eight", axes, base="at=1, steps=2")
    if not in_turn:
        project.hold.parent.mkdir()
        project.hold.touch()
    project.sweeps("submit", name, *words("slurm", gpus=1, pack=4, in_turn=str(in_turn).lower()))
    if not in_turn:
        project.until_saved("outputs/sweeps/eight", [1] * 8)
        project.hold.unlink()
    assert project.over(name) == {"failed": 2, "done": 6}
    trials = project.trials(name)
    by_job: dict[str, list[dict[str, Any]]] = {}
    for trial in trials:
        by_job.setdefault(trial["job"], []).append(trial)
    assert [len(each) for each in by_job.values()] == [4, 4]
    assert [len({project.begun(trial)[0]["gpu"] for trial in each}) for each in by_job.values()] == [1, 1]
    assert sorted(trial["status"] for trial in trials) == [0] * 6 + [1, 3]
    for trial in trials:
        log = (project.folder / trial["folder"] / "output.txt").read_text()
        assert log.startswith("begins after step 0 ")
        assert log.count("begins") == 1
        assert log.count("is about to") == 1

    for each in by_job.values():
        done = spans(project, [trial for trial in each if trial["state"] == "done"])
        if in_turn:
            assert all(end <= start for (_, end), (start, _) in pairwise(sorted(done)))
        else:
            assert all(a < other_b and other_a < b for (a, b), (other_a, other_b) in combinations(done, 2))


def test_trials_that_share_a_job_at_once_share_its_cores(
    project: Project, slurm: Cluster, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("OMP_NUM_THREADS")
    text = (project.folder / "train.py").read_text()
    project.write("train.py", text.replace('"CUDA_VISIBLE_DEVICES"), flush', '"OMP_NUM_THREADS"), flush'))
    name = project.sweep("threads", "seeds(2)")
    share = str(max(1, len(os.sched_getaffinity(0)) // 2))
    for in_turn, seen in (("true", "None"), ("false", share)):
        folder = f"folder=outputs/{in_turn}"
        project.sweeps("submit", name, folder, *words("slurm", gpus=0, pack=2, in_turn=in_turn))
        assert project.over(f"outputs/{in_turn}") == {"done": 2}
        logs = [project.folder / trial["folder"] / "output.txt" for trial in project.trials(f"outputs/{in_turn}")]
        assert [log.read_text() for log in logs] == [f"begins after step 0 sees {seen}\n"] * 2


def test_sweeps_at_once_on_this_machine_take_gpus_of_their_own(project: Project, monkeypatch: pytest.MonkeyPatch):
    gpus = [f"GPU-{os.getpid()}-{number}" for number in range(3)]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(gpus))
    project.hold.parent.mkdir()
    project.hold.touch()
    name = project.sweep("two", "seeds(2)", base="act='hold', at=1, steps=2")
    seen: dict[str, list[str]] = {}
    for folder, parallel in (("outputs/a", 1), ("outputs/b", 1), ("outputs/c", 2)):
        project.sweeps("submit", name, f"folder={folder}", *words("local", parallel=parallel))
        project.until_saved(folder, [1] * parallel)
        begun = [each for trial in project.trials(folder) for each in project.begun(trial)]
        seen[folder] = sorted(each["gpu"] for each in begun)
    # once each is taken, trials share them
    assert seen == {"outputs/a": gpus[:1], "outputs/b": gpus[1:2], "outputs/c": gpus[1:]}
    project.hold.unlink()
    for folder in seen:
        assert project.over(folder) == {"done": 2}
    project.sweeps("submit", name, "folder=outputs/d", *words("local", parallel=1))
    assert project.over("outputs/d") == {"done": 2}
    assert {project.begun(trial)[0]["gpu"] for trial in project.trials("outputs/d")} == {gpus[0]}  # it is free again


def test_more_trials_than_an_array_may_have_share_the_places(project: Project, slurm: Cluster, tmp_path: Path):
    project.hold.parent.mkdir()
    project.hold.touch()
    name = project.sweep("many", "seeds(17)", base="act='hold'")
    folder = project.folder / "outputs/sweeps/many"
    with slurm.configured(MaxArraySize=8):
        said = project.asked("submit", name, *words("slurm", parallel=5))
        assert len(said["queued"]) == 17
        assert len(said["batches"]) == 3
        project.wait("outputs/sweeps/many", lambda reports: len(reports) > 0)
        path = counting(tmp_path / "bin")
        project.type("-m", "sweeps", "status", name, PATH=path)
        assert (tmp_path / "bin/calls").read_text() == "squeue\n"
        project.hold.unlink()
        assert project.over(name) == {"done": 17}
    trials = project.trials(name)
    assert {trial["job"].partition("_")[0] for trial in trials} == set(said["batches"].values())
    assert most_at_once(spans(project, trials)) <= 5
    assert len([path for path in folder.glob("trials/*/*/*") if path.name in OURS]) == 17 * 2
    batch = ["list", "number", "folder", "script"]
    assert len(list((folder / "jobs").rglob("*"))) == 17 + 3 * len(batch)  # and what each job printed


def test_arrays_take_turns_where_there_are_more_of_them_than_places(project: Project, slurm: Cluster):
    project.hold.parent.mkdir()
    project.hold.touch()
    name = project.sweep("turns", "seeds(11)", base="act='hold', at=1, steps=2")
    with slurm.configured(MaxArraySize=4):
        said = project.asked("submit", name, *words("slurm", parallel=2))
        assert len(said["batches"]) == 3
        project.until_saved("outputs/sweeps/turns", [1, 1])
        project.hold.unlink()
        assert project.over(name) == {"done": 11}
    assert most_at_once(spans(project, project.trials(name))) == 2


@pytest.mark.long
def test_a_large_sweep_takes_few_files_and_one_question(project: Project, slurm: Cluster, tmp_path: Path):
    project.hold.parent.mkdir()
    project.hold.touch()
    name = project.sweep("large", "seeds(1500)", base="act='hold'")
    project.sweeps("submit", name, *words("slurm", gpus=0, pack=50, in_turn="true"))
    path = counting(tmp_path / "bin")
    project.type("-m", "sweeps", "status", name, PATH=path)
    assert (tmp_path / "bin/calls").read_text() == "squeue\n"
    project.hold.unlink()
    assert project.over(name) == {"done": 1500}
    folder = project.folder / "outputs/sweeps/large"
    sizes = {path: len(folders) + len(files) for path, folders, files in os.walk(folder)}
    assert max(sizes.values()) <= 256, "by the two first digits of an id"
    jobs = len(list((folder / "jobs").rglob("*")))
    assert jobs <= 30 + 4  # each job's log, and of the array a folder, a script, a list and a number
    for trial in (folder / "trials").glob("*/*"):
        assert {path.name for path in trial.iterdir() if path.name in OURS} == set(OURS)
    assert project.sweeps("submit", name).startswith("nothing new to queue (1500 done)\n")
