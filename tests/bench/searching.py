"""Searches: idle places, asks and their lock, samplers and pruning against doing without, and shared pasts."""

from __future__ import annotations

import heapq
import json
import math
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any, NamedTuple

from cn.launching.locks import held_below
from cn.sweeping.axes import Axes, integers, log_uniform, uniform
from cn.sweeping.search import Search
from cn.sweeping.search.past import Past, PointState
from cn.sweeping.search.random import Random
from cn.sweeping.search.tpe import Tpe
from cn.sweeping.search_space import Space, space
from tests.bench.measure import Command
from tests.bench.table import Row, Setting, at_least, at_most
from tests.sweeps.askers import ASKERS
from tests.sweeps.project import Project

HUNT = '''\
"""python -m sweeps submit hunt"""

from runs import Run
from runs.launch import Launch
from runs.launch.local import Local
from runs.told import Told
from sweeps import Axes, Random, Search, Sweep, integers, log_uniform, space, uniform


class Hunt(Sweep):
    """Uneven trials."""

    base: Run = Told()
    axes: Axes = space({axes})
    search: Search = Random(trials={trials})
    launch: Launch = Local(parallel={parallel})
'''
ASKS = '''\
"""Times asks of a search whose thousand points are told, and how much of each is the sampler's."""

import json, os, sys, time

import cn.sweeping.search.tpe
from cn.nodes.to_json import plain
from cn.sweeping.folder.batches import Batch
from cn.sweeping.folder.store import Report
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.job.ask import Asker
from cn.sweeping.planning.named import find
from optuna.study import Study

label, words = "0001-abcd", ["search.trials=100000", "folder=outputs/asks"]


def asker(search):
    named = find("hunt", [f"search={search}", *words])
    return Asker(named.store, Batch(label, "", "", {}, os.getcwd(), None, None, None, (), goal=plain(named.goal),
                                    search=plain(named.sweep)), 0)


first = asker("random")
for place in range(1000):
    number = first.ask()
    (point,) = [each for each in first.points.every() if each.number == number]
    for trial in point.trials:
        first.store.at(trial).mkdir(parents=True)
        first.store.set_report(trial, Report(TrialStatus.DONE, label, "", "", "", value=place % 97 / 97))
        done = {"state": "finished", "best/validation/accuracy": place % 97 / 97}
        (first.store.at(trial) / "summary.json").write_text(json.dumps(done))

theirs = 0.0


def timed(function):
    def call(*args, **named):
        global theirs
        began = time.perf_counter()
        try:
            return function(*args, **named)
        finally:
            theirs += time.perf_counter() - began
    return call


Study.ask = timed(Study.ask)
import optuna.trial
optuna.trial.Trial._suggest = timed(optuna.trial.Trial._suggest)
tpe = asker("tpe")
for _ in range(int(sys.argv[1])):
    theirs, began = 0.0, time.perf_counter()
    tpe.ask()
    print(json.dumps([time.perf_counter() - began, theirs]))
'''
LENGTHS = '''\
"""python -m sweeps plan lengths"""

from runs import Run
from runs.default import Default
from runs.schedule.constant import Constant
from sweeps import Axes, Sweep, grid


class Lengths(Sweep):
    """Four lengths under a constant schedule."""

    base: Run = Default(schedule=Constant())
    axes: Axes = grid({"optim.lr": [1e-3, 2e-3, 4e-3], "epochs": [5, 10, 20, 40]})
'''
PRUNING = '''\
"""python -m sweeps submit pruning"""

from runs import Run
from runs.default import Default
from runs.launch import Launch
from runs.launch.local import Local
from runs.schedule.constant import Constant
from sweeps import Axes, Search, Sweep, Random, log_uniform, space


class Pruning(Sweep):
    """Which learning rate, width and dropout?"""

    base: Run = Default(epochs=27, schedule=Constant(), gpu=-1)
    axes: Axes = space({
        "optim.lr": log_uniform(1e-5, 3e-2), "model.hidden_dim": [16, 64, 128], "model.dropout": [0.0, 0.2, 0.5],
    })
    search: Search = Random(trials=27)
    launch: Launch = Local(parallel=2)
'''
UNEVEN = '{"pause": uniform(1, 8)}'
THREE = '{"optim.lr": log_uniform(1e-5, 1e-3), "seed": integers(0, 1000), "value": [0.0, 0.1]}'
Function = Callable[[list[float]], float]


class Problem(NamedTuple):
    """A public test function: the smaller its value, the better."""

    low: float
    high: float
    size: int
    value: Function


def branin(x: list[float]) -> float:
    a, b = 15 * x[0] - 5, 15 * x[1]
    return (
        (b - 5.1 / (4 * math.pi**2) * a**2 + 5 / math.pi * a - 6) ** 2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(a) + 10
    )


def ackley(x: list[float]) -> float:
    one = -20 * math.exp(-0.2 * math.sqrt(fmean([each**2 for each in x])))
    return one - math.exp(fmean([math.cos(2 * math.pi * each) for each in x])) + 20 + math.e


def rosenbrock(x: list[float]) -> float:
    return sum(100 * (b - a**2) ** 2 + (1 - a) ** 2 for a, b in pairwise(x))


def rastrigin(x: list[float]) -> float:
    return 10 * len(x) + sum(each**2 - 10 * math.cos(2 * math.pi * each) for each in x)


def styblinski_tang(x: list[float]) -> float:
    return sum(each**4 - 16 * each**2 + 5 * each for each in x) / 2


PROBLEMS = {
    "Branin, 2 dimensions": Problem(0, 1, 2, branin),
    "Ackley, 5": Problem(-32.768, 32.768, 5, ackley),
    "Rosenbrock, 4": Problem(-2.048, 2.048, 4, rosenbrock),
    "Rastrigin, 3": Problem(-5.12, 5.12, 3, rastrigin),
    "Styblinski-Tang, 5": Problem(-5, 5, 5, styblinski_tang),
}


def idle(setting: Setting) -> Iterator[Row]:
    """Forty trials of 1 to 8 s on four places, each asked when a place is free."""
    places, trials = 4, 12 if setting.quick else 40
    project = _hunt(setting.folder / "project", axes=UNEVEN, trials=trials, parallel=places)
    _submitted(project, "hunt")
    spans = sorted((begun[0]["time"], begun[-1]["ended"]) for begun in map(project.begun, project.trials("hunt")))
    lengths = [end - begin for begin, end in spans]
    took, drawn = max(end for _, end in spans) - spans[0][0], packed(lengths, places)
    best = max(min(packed(sorted(lengths, reverse=True), places), drawn), sum(lengths) / places)
    note = f"{took:.1f} s; packed as drawn {drawn:.1f} s, longest first {best:.1f} s"
    yield at_most("search of uneven trials on 4 places, of the best packing", took / best, 1.05, note=note)


def packed(lengths: Sequence[float], places: int) -> float:
    """Return when the last of these is over, if each begins on the first free place, in this order."""
    free = [0.0] * places
    for each in lengths:
        heapq.heapreplace(free, free[0] + each)
    return max(free)


def asks(setting: Setting) -> Iterator[Row]:
    """The time of an ask under the lock, and many that ask at once."""
    project = _hunt(setting.folder / "project", axes=THREE, trials=200 if setting.quick else 2000, parallel=4)
    project.write("asks.py", ASKS)
    told = [json.loads(line) for line in _python(project, "asks.py", "4" if setting.quick else "12").splitlines()][1:]
    seconds = median(each for each, _ in told)
    ours = median((each - theirs) / theirs for each, theirs in told)
    yield at_most("ask of tpe with 1000 points told", seconds, 0.3, unit=" s")
    yield at_most("    of which ours, of Optuna's own", 100 * ours, 20, unit=" %")
    project.write("askers.py", ASKERS)
    for kills in (0, 20):
        folder = project.folder / "outputs" / "sweeps" / "hunt"
        began = time.perf_counter()
        _python(project, "askers.py", "hunt", "32", str(kills), "0.5")
        took = time.perf_counter() - began
        files = sorted((folder / "search").glob("0*.json"))
        values = [json.dumps(json.loads(path.read_text())["values"]) for path in files]
        wrong = abs(len(files) - (200 if setting.quick else 2000)) + len(values) - len(set(values))
        what = f"32 workers, {len(files)} points" + (f", {kills} of them killed" if kills else "")
        yield at_most(
            f"{what}: twice, lost or over", wrong, 0, unit="", note=f"{len(files) / took:.0f} points a second"
        )
        folder.rename(folder.with_name(f"hunt_{kills}"))
    for length in (120, 30, 15, 10):
        busy, waits = saturated(1000, length, seconds)
        note = f"the lock is held {100 * busy:.0f} % of the time"
        yield Row(
            f"1000 workers, trials of {length} s, simulated: a worker waits",
            f"{100 * waits:.1f} % of its time ({note})",
        )


def saturated(workers: int, length: float, ask: float, rounds: int = 20) -> tuple[float, float]:
    """Return how busy the lock is, and which part of its time a worker waits for it or asks.

    A model: one ask at a time, in the order in which workers come; a trial takes half to one and a half of `length`.
    """
    draw = random.Random(0)
    ready = [(draw.uniform(0, length), number) for number in range(workers)]
    heapq.heapify(ready)
    free = trained = waited = held = 0.0
    for _ in range(rounds * workers):
        came, number = heapq.heappop(ready)
        begin = max(free, came)
        free, trial = begin + ask, draw.uniform(0.5, 1.5) * length
        waited, held, trained = waited + free - came, held + ask, trained + trial
        heapq.heappush(ready, (free + trial, number))
    return held / free, waited / (waited + trained)


def samplers(setting: Setting) -> Iterator[Row]:
    """The best value of tpe and of random draws after as many points, over repeats, with the Mann-Whitney test."""
    repeats, points = (4, 20) if setting.quick else (20, 60)
    for name, problem in PROBLEMS.items():
        area = space({f"x{place}": uniform(problem.low, problem.high) for place in range(problem.size)})
        yield _compared(
            f"{name}: best of {points}", area, lambda x, each=problem: each.value([*x.values()]), repeats, points
        )
    digits = space(
        {"optim.lr": log_uniform(1e-5, 1e-1), "model.hidden_dim": integers(4, 128), "model.dropout": uniform(0, 0.9)}
    )
    run = _trainer(setting.folder)
    yield _compared("digits, 2 epochs: least validation loss of 25", digits, run, 3 if setting.quick else 20, 25)


def _compared(what: str, area: Axes, value: Callable[[dict[str, Any]], float], repeats: int, points: int) -> Row:
    from scipy.stats import mannwhitneyu

    tpe = [found(Tpe(trials=points, seed=seed), area, value, points) for seed in range(repeats)]
    drawn = [found(Random(trials=points, seed=seed), area, value, points) for seed in range(repeats)]
    p = float(mannwhitneyu(tpe, drawn, alternative="less").pvalue)
    shown = f"{median(tpe):.3g}, {median(drawn):.3g} of random (p = {p:.2g})"
    return Row(f"{what} points by tpe", shown, "better", median(tpe) < median(drawn))


def found(search: Search, area: Axes, value: Callable[[dict[str, Any]], float], points: int) -> float:
    """Return the least value that a search finds."""
    assert isinstance(area, Space)
    search.begin()
    past: list[Past] = []
    for number in range(points):
        asked = search.suggest(area, past, number, maximize=False)
        past.append(Past(asked.values, PointState.DONE, value(asked.values), attributes=asked.attributes))
    return min(each.value for each in past if each.value is not None)


def _trainer(folder: Path) -> Callable[[dict[str, Any]], float]:
    """Return a function that trains a run on the digits and returns its least validation loss."""
    import contextlib
    import io
    import itertools
    import shutil

    import cn
    import runs._train
    from cn import Job
    from runs.default import Default

    runs._train.draw = lambda folder: None
    numbers = itertools.count()

    def value(values: dict[str, Any]) -> float:
        own = folder / f"run{next(numbers)}"
        words = [f"{name}={each}" for name, each in values.items()]
        run = cn.compose(Default(epochs=2, gpu=-1), [*words, f'folder="{own}"'])
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            runs._train.train(run, Job())
        least = min(each.get("validation/loss", math.inf) for each in _metrics(own))
        shutil.rmtree(own)
        return least

    return value


def pruned(setting: Setting) -> Iterator[Row]:
    """The same draws on the digits, trained whole and by successive halving."""
    project = Project(_made(setting.folder / "project"))
    for name in ("train.py", "runs/told.py"):
        (project.folder / name).unlink()
    root = Path(__file__).parents[2]
    project.write("train.py", (root / "train.py").read_text())
    project.write("sweeps/pruning.py", PRUNING)
    project.trains = True
    best: dict[str, list[float]] = {"null": [], "halving": []}
    steps: dict[str, list[int]] = {"null": [], "halving": []}
    for seed in range(1 if setting.quick else 5):
        for prune in best:
            words = [f"prune={prune}", f"search.seed={seed}", f"folder=outputs/sweeps/{prune}_{seed}"]
            words += ["prune.after=3"] if prune == "halving" else []  # after one epoch, ranks are of chance
            _submitted(project, "pruning", *words)
            trials = project.trials(f"outputs/sweeps/{prune}_{seed}")
            best[prune].append(max(_best(project.folder / each["folder"]) for each in trials))
            steps[prune].append(sum(_steps(project.folder / each["folder"]) for each in trials))
    share = sum(steps["halving"]) / sum(steps["null"])
    yield at_most("halving on the digits: steps, of all trials trained whole", share, 1 / 3)
    whole, halved = fmean(best["null"]), fmean(best["halving"])
    noise = math.hypot(*map(stdev, best.values())) if len(best["null"]) > 1 else 1 / 180  # one example
    note = f"{halved:.4f}, {whole:.4f} whole; deviation of the difference {noise:.4f}"
    better = 100 * (halved - whole)
    yield at_least("    its best validation accuracy, less that of whole", better, -100 * noise, note=note)


def shared(setting: Setting) -> Iterator[Row]:
    """Steps of epochs=[5, 10, 20, 40] at three learning rates, under a constant schedule."""
    project = Project(_made(setting.folder / "project"))
    project.write("sweeps/lengths.py", LENGTHS)
    plan = project.asked("plan", "lengths")
    trained = plan["steps"] - plan["shared"]
    yield at_most(
        "steps of 4 lengths that share their past, of all",
        trained / plan["steps"],
        40 / 75,
        note=f"{trained} of {plan['steps']}",
    )


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _hunt(folder: Path, **settings: Any) -> Project:
    project = Project(_made(folder))
    project.write("sweeps/hunt.py", HUNT.format(**settings))
    return project


def _python(project: Project, *words: str) -> str:
    return Command(words, project.folder, {"PYTHONPATH": str(project.folder)}).run().output


def _submitted(project: Project, name: str, *words: str) -> None:
    """Submit a sweep and wait until no process of it is left."""
    project.sweeps("submit", name, *words)
    folder = next((word.removeprefix("folder=") for word in words if word.startswith("folder=")), name)
    path = project.folder / (folder if folder != name else f"outputs/sweeps/{name}")
    while True:
        time.sleep(1)
        if not held_below(path / "jobs"):
            counts = project.states(folder)
            if counts and not {"queued", "running", "waiting"} & counts.keys():
                return


def _best(folder: Path) -> float:
    values = [each.get("validation/accuracy", 0.0) for each in _metrics(folder)]
    return max(values, default=0.0)


def _steps(folder: Path) -> int:
    return max((each["step"] for each in _metrics(folder)), default=0)


def _metrics(folder: Path) -> list[dict[str, Any]]:
    path = folder / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if os.path.exists(path) else []
