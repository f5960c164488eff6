"""A thousand trials queued on a real SLURM, against submitit alone; and forty short ones on eight places."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from tests.bench.measure import ENVIRONMENT, Command, ratio
from tests.bench.table import Row, Setting, at_most
from tests.sweeps.cluster import Cluster
from tests.sweeps.project import Project

THOUSAND = '''\
"""python -m sweeps submit thousand"""

from __future__ import annotations

from runs import Run
from runs.cifar_vit import CifarViT
from runs.launch import Launch
from runs.launch.slurm import Slurm
from sweeps import Axes, Sweep, grid, log_range, seeds


class Thousand(Sweep):
    """Which depth is the best, at its own learning rate?"""

    base: Run = CifarViT()
    axes: Axes = grid({"model.depth": [6, 9, 12, 15], "optim.lr": log_range(1e-4, 1e-2, 50)}) * seeds(5)
    launch: Launch = Slurm(parallel=16)
'''
BARE = '''\
"""What one writes without a sweep: 1000 runs are composed, and submitit has them called in an array."""

import sys
from pathlib import Path

import submitit

import cn
from cn import Job
from runs.cifar_vit import CifarViT
from train import train


def runs():
    rates = [1e-4 * 100 ** (place / 49) for place in range(50)]
    words = [[f"model.depth={depth}", f"optim.lr={rate}", f"seed={seed}"]
             for depth in (6, 9, 12, 15) for rate in rates for seed in range(5)]
    return [cn.compose(CifarViT, each) for each in words]


def queue(runs, folder):
    executor = submitit.AutoExecutor(folder, cluster="slurm")
    executor.update_parameters(timeout_min=60, gpus_per_node=1, slurm_array_parallelism=16)
    return executor.map_array(train, runs, [Job()] * len(runs))


if __name__ == "__main__":
    print("queued", len(queue(runs(), Path(sys.argv[1]))))
'''
PROBE = '''\
"""Queues the 1000 runs with the one or the other whenever it is told to, and answers with the seconds."""

import sys
import time
from pathlib import Path

import bare
from cn.sweeping.actions import queue
from cn.sweeping.planning.named import find
from cn.sweeping.planning.plan import plan
from cn.sweeping.folder.store import Store
from cn.sweeping.submitting.submission import recover

named = find("thousand")
planned = plan(named.sweep)
runs = bare.runs()
assert len(planned) == len(runs) == 1000


def ours(folder):  # what the verb does behind the plan
    here = named._replace(store=Store(folder))
    with here.store.locked():
        assert queue(here, planned, recover(here.store))


def theirs(folder):
    assert len(bare.queue(runs, folder)) == 1000


print(flush=True)
for number, line in enumerate(sys.stdin):
    call = {"ours": ours, "theirs": theirs}[line.strip()]
    began = time.perf_counter()
    call(Path("outputs", str(number)).absolute())
    print(time.perf_counter() - began, flush=True)
'''
TRIALS, PLACES = 40, 8  # of one second each


class Span(NamedTuple):
    """What happened when, in seconds since the epoch."""

    began: float  # the submit
    prompt: float  # the submit was over
    first: float  # the first trial began
    end: float  # the last trial ended


def submitting(setting: Setting) -> Iterator[Row]:
    """Jobs that wait, because their partition is down, and are cancelled after each round."""
    if missing := Cluster.missing():
        yield Row("queueing of 1000 trials, of submitit's map_array", f"skipped: {missing}")
        return
    project = _project(setting.folder / "project")
    rounds = 3 if setting.quick else 9
    with _cluster(setting.folder / "slurm") as cluster:
        cluster.run("scontrol", "update", "PartitionName=low", "State=DOWN")
        with _probe(project, cluster) as probe:
            ours, theirs = _in_turn(lambda which, number: _asked(probe, which), cluster, rounds)
        note = f"{median(ours):.2f} s, {median(theirs):.2f} s"
        yield at_most("queueing of 1000 trials, of submitit's map_array", ratio(ours, theirs), 1.2, note=note)
        commands = {"ours": ("-m", "sweeps", "submit", "thousand"), "theirs": ("bare.py",)}

        def typed(which: str, number: int) -> float:
            folder = f"outputs/typed_{which}_{number}"
            words = (*commands[which], f"folder={folder}" if which == "ours" else folder)
            return _command(project, words, cluster).run().seconds

        ours, theirs = _in_turn(typed, cluster, rounds)
        note = f"{ratio(ours, theirs):.2f}x ({median(ours):.2f} s, {median(theirs):.2f} s)"
        yield Row("    python to prompt, runs composed in both", note)


def slots(setting: Setting) -> Iterator[Row]:
    """Until the last trial ends: from the prompt, or from the first trial on, since a cluster begins when it likes."""
    project = _project(setting.folder / "project")
    rounds = 1 if setting.quick else 5
    name = f"{TRIALS} trials of 1 s, {PLACES} at once"
    here = ("launch=local", f"launch.parallel={PLACES}")
    spans = [_span(project, f"local_{number}", None, *here) for number in range(rounds)]
    yield _against(f"{name}: local", [each.end - each.prompt for each in spans], 1.5)
    yield _against("    with the submit itself", [each.end - each.began for each in spans])
    if missing := Cluster.missing():
        yield Row(f"{name}: slurm", f"skipped: {missing}")
        return
    with _cluster(setting.folder / "slurm") as cluster:
        for pack in (TRIALS // PLACES, 1):
            words = ("launch=slurm", f"launch.pack={pack}", "launch.in_turn=true")
            spans.clear()
            for number in range(rounds):
                spans.append(_span(project, f"slurm_{pack}_{number}", cluster, *words))
                cluster.clear()
            if pack > 1:
                seconds = [each.end - each.first for each in spans]
                yield _against(f"{name}: slurm, pack={pack}", seconds, 1.5)
            yield _against(f"    pack={pack}, from the prompt", [each.end - each.prompt for each in spans])


def _project(folder: Path) -> Project:
    folder.mkdir()
    project = Project(folder)
    project.write("sweeps/thousand.py", THOUSAND)
    project.write("bare.py", BARE)
    project.write("probe.py", PROBE)
    project.sweep("forty", f"seeds({TRIALS})", base="steps=1, pause=1.0")
    return project


@contextmanager
def _cluster(folder: Path) -> Iterator[Cluster]:
    cluster = Cluster(folder)
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()


def _environment(project: Project, cluster: Cluster | None) -> dict[str, str]:
    own = {} if cluster is None else {"SLURM_CONF": str(cluster.conf)}
    return {"PYTHONPATH": str(project.folder), **own}


def _command(project: Project, words: tuple[str, ...], cluster: Cluster | None) -> Command:
    return Command(words, project.folder, _environment(project, cluster))


@contextmanager
def _probe(project: Project, cluster: Cluster) -> Iterator[subprocess.Popen[str]]:
    words, env = [sys.executable, "probe.py"], {**ENVIRONMENT, **_environment(project, cluster)}
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=project.folder, env=env, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.communicate()


def _asked(probe: subprocess.Popen[str], which: str) -> float:
    assert probe.stdin is not None
    assert probe.stdout is not None
    print(which, file=probe.stdin, flush=True)
    if line := probe.stdout.readline():
        return float(line)
    raise RuntimeError(f"the probe ended with status {probe.wait()}")


def _in_turn(call: Callable[[str, int], float], cluster: Cluster, rounds: int) -> tuple[list[float], list[float]]:
    """The seconds of ours and of theirs; one round before them fills caches."""
    found: dict[str, list[float]] = {"ours": [], "theirs": []}
    for number in range(rounds + 1):
        for which, seconds in found.items():
            seconds.append(call(which, number))
            cluster.run("scancel", "--user=root")
    return found["ours"][1:], found["theirs"][1:]


def _span(project: Project, name: str, cluster: Cluster | None, *words: str) -> Span:
    """Submit the short trials, and wait for them."""
    folder = f"outputs/{name}"
    began = time.time()
    _command(project, ("-m", "sweeps", "submit", "forty", f"folder={folder}", *words), cluster).run()
    prompt = time.time()
    reports: list[dict[str, Any]] = []
    while sum(each["state"] in ("done", "failed") for each in reports) < TRIALS and time.time() < prompt + 120:
        time.sleep(0.2)
        reports = [json.loads(path.read_text()) for path in (project.folder / folder).glob("trials/*/*/trial.json")]
    if [each["state"] for each in reports] != ["done"] * TRIALS:
        raise RuntimeError(f"these of {TRIALS} trials have begun: {reports}")
    first = min(each["started"] for each in reports)
    return Span(began, prompt, first, max(each["started"] + each["seconds"] for each in reports))


def _against(what: str, spans: list[float], most: float | None = None) -> Row:
    figure = median(spans) / (TRIALS / PLACES)
    note = f"{median(spans):.2f} s"
    return Row(what, f"{figure:.2f}x ({note})") if most is None else at_most(what, figure, most, note=note)
