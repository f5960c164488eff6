"""Ten thousand trials of a sweep: to plan them, to plan them again when they are done, and to say how they stand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from tests.bench.measure import ENVIRONMENT, Command, Cost
from tests.bench.table import Row, Setting, at_most
from tests.sweeps.project import Project

MANY = '''\
"""python -m sweeps plan many"""

from __future__ import annotations

from models.vit import ViT
from runs import Run
from runs.cifar_vit import CifarViT
from runs.launch import Launch
from runs.launch.slurm import Slurm
from sweeps import Axes, Sweep, grid, log_range, seeds

AXES = {{"model": ["resnet18", "mlp", ViT(dim=96, depth=3)], "optim.lr": log_range(1e-4, 1e-1, 33)}}


class Many(Sweep):
    """Which of three models is the best, at its own learning rate?"""

    base: Run = CifarViT()
    axes: Axes = grid(AXES) * seeds({seeds}) + Axes()
    launch: Launch = Slurm(parallel=16)
'''
STATES = '''\
"""Writes down that all trials of `many` are done, or that the last hundred run, as it seems until the input ends."""

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from cn.nodes.to_json import plain
from cn.launching.queue import Jobs
from runs.launch.local import Local
from cn.sweeping.planning.named import describe, find
from cn.sweeping.planning.plan import plan
from cn.sweeping.submitting.snapshots import take
from cn.sweeping.folder.store import Batch, Report
from cn.sweeping.submitting.submission import as_jobs, next_label

named = find("many")
store, trials = named.store, [each.trial for each in plan(named.sweep)]
describe(store, named.goal, named.sweep)
shared = {"snapshot": take(Path.cwd(), store.folder / "code"), "function": "train:train", "cwd": os.getcwd()}
shared |= {"give_up": 3, "width": 100, "source": None, "name": "many-bench", "home": str(store.folder.absolute())}
launch = Local(parallel=100)  # whose jobs are asked about wherever this runs


def put(trials, state):
    label = next_label(store)
    batch = Batch(label=label, launch=plain(launch), jobs=tuple((each,) for each in trials), **shared)
    store.add(batch)
    for place, trial in enumerate(trials):
        folder = store.at(trial)
        folder.mkdir(parents=True, exist_ok=True)
        job = f"{label[:4]}_{place}"
        report = Report(state, label, batch.code, job, "n1", started=time.time(), seconds=7.0, value=0.5)
        (folder / "trial.json").write_text(json.dumps(asdict(report)))  # not by the store, which waits for the disk
        (folder / "summary.json").write_text('{"best/validation/accuracy": 0.5, "step": 3, "steps": 9}')
        (folder / "metrics.jsonl").write_text('{"step": 3, "validation/accuracy": 0.5}\\n')
    return batch


if sys.argv[1] == "done":
    for start in range(0, len(trials), 999):
        batch = put(trials[start : start + 999], "done")
        store.set_number(batch.label, batch.label[:4])
else:
    batch = put(trials[-100:], "running")
    jobs = as_jobs(store, batch)
    waits = "import sys; print(flush=True); sys.stdin.read()"
    jobs = Jobs(jobs.name, jobs.label, ("-c", waits), {}, jobs.count, jobs.folder)
    launch.build().run(jobs)
'''


def planning(setting: Setting) -> Iterator[Row]:
    """Whole commands, and the medians of what they take; every trial is composed, checked and hashed in each."""
    rounds = 3 if setting.quick else 7
    project = many(setting.folder / "project")
    plan, status = (_command(project, verb) for verb in ("plan", "status"))
    new = [_told(plan, "10000 new") for _ in range(rounds)]
    yield _row("plan of 10 000 trials over 3 models", new, 15)
    yield at_most("    its memory", max(cost.bytes for cost, _ in new) / 2**30, 1, unit=" GiB")
    finish(project)
    yield _row("plan of 10 000 that are done", [_told(plan, "10000 done") for _ in range(rounds)], 5)
    yield _row("status of 10 000 that are done", [_told(status, "10000 done") for _ in range(rounds)], 3)
    with _running(project):
        costs = [_told(status, "100 running, 9900 done") for _ in range(rounds)]
    yield _row("status of 10 000 of which 100 run", costs, 3)


def many(folder: Path, seeds: int = 101) -> Project:
    """This repository's code and nodes, with a sweep of 99 trials a seed and one more: 10 000."""
    folder.mkdir()
    project = Project(folder)
    project.write("sweeps/many.py", MANY.format(seeds=seeds))
    project.write("states.py", STATES)
    return project


def finish(project: Project) -> None:
    """All of its trials are done, as far as anyone can see."""
    _states(project, "done").run()


def _command(project: Project, verb: str) -> Command:
    return Command(("-m", "sweeps", verb, "many"), project.folder, {"PYTHONPATH": str(project.folder)})


def _states(project: Project, which: str) -> Command:
    return Command(("states.py", which), project.folder, {"PYTHONPATH": str(project.folder)})


@contextmanager
def _running(project: Project) -> Iterator[None]:
    """A hundred of the trials have a process that lives, as far as anyone can see."""
    words = [sys.executable, *_states(project, "running").words]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(project.folder)}
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=project.folder, env=environment, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.communicate()


def _told(command: Command, words: str) -> tuple[Cost, float]:
    """What a command took, and how much of that was work for a processor; it must have said these words."""
    before = _worked()
    cost = command.run()
    assert words in cost.output, cost.output
    return cost, _worked() - before


def _worked() -> float:
    times = os.times()  # of this process's children that have ended
    return times.children_user + times.children_system


def _row(what: str, costs: list[tuple[Cost, float]], most: float) -> Row:
    note = f"{median(worked for _, worked in costs):.2f} s of a processor"
    return at_most(what, median(cost.seconds for cost, _ in costs), most, unit=" s", note=note)
