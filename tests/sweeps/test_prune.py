"""A trial that is worse than the others at the same step ends early, and can be gone on with."""

from __future__ import annotations

import json
import math
import statistics
import time
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from cn import Diverged, RunError
from cn.nodes.to_json import plain
from cn.sweeping.folder.batches import Batch, Trial
from cn.sweeping.folder.points import Point, Points
from cn.sweeping.folder.store import Store
from cn.sweeping.job import reporter as reporter_module
from cn.sweeping.job.reporter import curve_of, reporter
from sweeps import Halving, Median, log_uniform, maximize, random
from sweeps.fcn_search import FcnSearch
from tests.sweeps.project import Project
from tests.sweeps.test_search import finished, hunt, kill, points

SAVED = '            last.with_suffix(".part").replace(last)\n'
REPORTS = (
    SAVED
    + """\
            if step < run.steps:
                job.report(step, {"validation/accuracy": run.value * step})
"""
)
AXES = 'space({"value": log_uniform(1e-3, 1)})'
VALUES = [point["value"] for point in random(12, {"value": log_uniform(1e-3, 1)}).points]


def test_a_value_after_a_line_that_was_cut_short_is_kept(tmp_path: Path) -> None:
    batch = Batch(
        "0001",
        "code",
        "go:go",
        {},
        "",
        None,
        None,
        None,
        (),
        goal=plain(maximize("a")),
        search=plain(FcnSearch(prune=Median())),
    )
    report = reporter(batch, tmp_path, tmp_path)
    assert report is not None
    report(1, {"a": 0.1})
    with (tmp_path / "reports.jsonl").open("a") as file:
        file.write('{"step": 2, "va')  # on a full disk
    report(3, {"a": 0.3})
    report(4, {"a": 0.4})
    assert curve_of(tmp_path) == {1: 0.1, 3: 0.3, 4: 0.4}


@pytest.fixture
def pruning(project: Project) -> Project:
    """A project whose runs report each step."""
    door = (project.folder / "train.py").read_text()
    assert SAVED in door
    project.write("train.py", door.replace(SAVED, REPORTS))
    return project


def expected(values: list[float], steps: int) -> list[int | None]:
    """The step at which each trial is pruned by the median, if one follows the other; None: it is done."""
    ended: list[tuple[float, int, int | None]] = []
    for value in values:
        at: int | None = None
        for step in range(3, steps):
            others = [other * step for other, last, _ in ended if last >= step]
            if len(others) >= 4 and value * step < statistics.median(others):
                at = step
                break
        ended.append((value, steps - 1 if at is None else at, at))
    return [at for _, _, at in ended]


def test_the_median_prunes_what_is_below_it_at_the_same_step() -> None:
    rule = Median(after=1, others=2)
    rising = [{1: 1.0, 2: 2.0, 3: 9.0}, {1: 3.0, 2: 4.0}]
    assert not rule.prunes({1: 0.0}, rising)  # too early
    assert rule.prunes({1: 0.0, 2: 2.9}, rising)
    assert not rule.prunes({1: 0.0, 2: 3.0}, rising)
    assert not rule.prunes({1: 3.0, 2: 2.0}, rising)  # its best counts
    assert not rule.prunes({1: 0.0, 2: 0.0, 3: 0.0}, rising)  # only one has come so far
    assert not rule.prunes({1: 0.0, 2: 0.0}, [rising[0], {3: 4.0}, {4: 4.0}])  # larger batches: validated later
    assert not rule.prunes({1: 0.0, 2: 0.0}, [rising[0], {}])


def test_a_reporter_reads_the_sweep_once_and_of_the_others_what_has_grown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = FcnSearch(prune=Median(after=1, others=1))
    batch = Batch("0001", "", "", {}, "", None, None, None, (), goal=plain(maximize("a")), search=plain(sweep))
    store = Store(tmp_path)
    trials = [Trial(name, (), {}, f"trials/{name}") for name in ("one", "two")]
    points = Points(store)
    for number, trial in enumerate(trials):
        store.at(trial).mkdir(parents=True)
        points.add(Point(number, number, {}, (trial,), "0001", 0))
    one, two = (reporter(batch, store.folder, store.at(trial)) for trial in trials)
    assert one is not None
    assert two is not None
    assert [one(step, {"a": step}) for step in (1, 2)] == [False, False]
    assert two(1, {"a": 0.0}) is False
    read: list[object] = []
    for name in ("unplain", "curve_of"):
        true = getattr(reporter_module, name)
        monkeypatch.setattr(reporter_module, name, lambda *words, true=true: read.append(words) or true(*words))
    assert two(2, {"a": 0.0}) is True
    assert [words[0] for words in read] == [store.at(trials[1]).absolute()]  # its own curve alone
    one(3, {"a": 3.0})
    read.clear()
    assert two(3, {"a": 9.0}) is False
    assert len(read) == 2


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        (math.nan, Diverged, "a is nan after step 3"),  # it does not count towards give_up
        (
            np.float32(0.5),
            RunError,
            "prune follows a, and the validation after step 3 came to none, but to np.float32(0.5)\n"
            "  write: job.report(step, {'a': float(...)})",
        ),
    ],
)
def test_a_value_that_is_no_finite_number_is_told_as_such(
    tmp_path: Path, value: Any, kind: type[RunError], said: str
) -> None:
    sweep = plain(FcnSearch(prune=Median()))
    batch = Batch("0001", "", "", {}, "", None, None, None, (), goal=plain(maximize("a")), search=sweep)
    report = reporter(batch, tmp_path, tmp_path)
    assert report is not None
    with pytest.raises(RunError) as error:
        report(3, {"a": value})
    assert (type(error.value), str(error.value)) == (kind, said)


def test_pruned_trials_say_at_which_step_count_as_done_and_can_be_gone_on_with(pruning: Project):
    name = hunt(pruning, "Random(trials=12)", axes=AXES, base="steps=6", parallel=1)
    pruning.sweeps("submit", name, "prune=median")
    counts = finished(pruning, name)
    steps = expected(VALUES, 6)
    assert 0 < sum(step is not None for step in steps) < 12
    assert counts == {"done": steps.count(None), "pruned": 12 - steps.count(None)}
    trials = {trial["id"]: trial for trial in pruning.trials(name)}
    for point, step in zip(points(pruning), steps, strict=True):
        trial = trials[point["trials"][0]["id"]]
        assert trial["reason"] == (None if step is None else f"pruned at step {step}")
        assert pruning.steps(trial) == list(range(1, 1 + (6 if step is None else step)))
    assert "nothing new to queue" in pruning.sweeps("submit", name, "prune=median")
    one = next(trial["id"] for trial in trials.values() if trial["state"] == "pruned")
    said = pruning.sweeps("retry", name, one, status=2)
    assert (
        said == f"{one} is pruned, and is not run again\n"
        f"  to go on with it: python -m sweeps retry hunt prune=median {one} --pruned\n"
    )
    pruning.sweeps("retry", name, "--pruned")
    assert finished(pruning, name) == {"done": 12}
    for trial in pruning.trials(name):
        assert pruning.steps(trial) == [1, 2, 3, 4, 5, 6]


def test_a_goal_that_no_validation_reports_is_refused(pruning: Project):
    name = hunt(pruning, "Random(trials=1)", axes=AXES, base="steps=2", parallel=1)
    text = (pruning.folder / "sweeps/hunt.py").read_text().replace("Axes, ", "Axes, Goal, minimize, ", 1)
    pruning.write("sweeps/hunt.py", f'{text}    goal: Goal = minimize("validation/loss")\n')
    pruning.sweeps("submit", name, "prune=median")
    assert finished(pruning, name) == {"failed": 1}
    assert pruning.only(name)["reason"] == "prune follows validation/loss, and the validation after step 1 came to none"


def test_all_processes_of_a_run_are_pruned_together_after_a_checkpoint(real: Project):
    """Learning rates of nearly 0 come last, and end at their second validation; one goes on to the end."""
    real.write(
        "sweeps/hunt.py",
        """
from runs import Run
from runs.default import Default
from runs.launch import Launch
from runs.launch.local import Local
from sweeps import Axes, Median, Prune, Random, Search, Sweep, space


class Hunt(Sweep):
    base: Run = Default(epochs=4, gpu=-1)
    axes: Axes = space({"optim.lr": [1e-2, 1e-9]})
    search: Search = Random(trials=2, seed=0)
    prune: Prune = Median(after=1, others=1)
    launch: Launch = Local(processes=2)
""",
    )
    real.sweeps("submit", "hunt")
    assert finished(real, "hunt") == {"done": 1, "pruned": 1}
    pruned = next(trial for trial in real.trials("hunt") if trial["state"] == "pruned")
    assert pruned["reason"] == "pruned at step 78"
    folder = real.folder / pruned["folder"]
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["state"], summary["reason"], summary["processes"]) == ("interrupted", "pruned at step 78", 2)
    assert (folder / "last.pt").exists()
    real.sweeps("retry", "hunt", "--pruned")
    assert finished(real, "hunt") == {"done": 2}
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    steps = [told["step"] for line in lines if "validation/loss" in (told := json.loads(line))]
    assert steps == [39, 78, 117, 156]


def test_halving_prunes_all_but_one_in_factor_of_those_at_a_rung_and_promotes_them_once_they_are() -> None:
    rule = Halving(after=1, factor=3)
    assert rule.prunes({1: 0.5}, [])  # of one, none
    assert rule.prunes({1: 0.5}, [{1: 0.4}])
    assert not rule.prunes({1: 0.5}, [{1: 0.4}, {1: 0.3}])
    assert rule.prunes({1: 0.5}, [{1: 0.6}, {1: 0.3}])
    assert not rule.prunes({1: 0.5, 2: 0.1}, [{1: 0.6, 2: 0.7}])  # no rung
    curves = {"a": {1: 0.1}, "b": {1: 0.3}, "c": {1: 0.2}}
    assert rule.promotes(curves, ["a", "b", "c"]) == "b"
    assert rule.promotes(curves, ["a", "c"]) is None
    assert rule.promotes({"a": {1: 0.1}, "b": {1: 0.3}}, ["a", "b"]) is None
    further = {name: {1: value, 2: value, 3: value} for name, value in (("d", 0.6), ("e", 0.7), ("f", 0.8))}
    assert rule.promotes(curves | further, ["b", "f"]) == "f"  # the highest rung first


@pytest.mark.parametrize("killed", [False, True])
def test_with_halving_promoted_trials_go_on_from_their_checkpoints(pruning: Project, killed: bool):
    base = f"steps=10, pause={0.02 if killed else 0}"
    name = hunt(pruning, "Random(trials=30)", axes=AXES, base=base, parallel=3)
    if killed:
        moments = Random(1)
        for _ in range(5):
            pruning.sweeps("submit", name, "prune=halving")
            time.sleep(moments.uniform(0.3, 1.5))
            kill(pruning)
    pruning.sweeps("submit", name, "prune=halving")
    counts = finished(pruning, name)
    assert counts.keys() == {"done", "pruned"}
    assert sum(counts.values()) == 30
    curves: dict[str, dict[int, float]] = {}
    pruned: list[str] = []
    for trial in pruning.trials(name):
        steps = pruning.steps(trial)
        assert sorted(set(steps)) == list(range(1, len(set(steps)) + 1))
        if not killed:
            assert steps == list(range(1, len(steps) + 1))
        assert len(set(steps)) in (1, 3, 9, 10)
        curves[trial["id"]] = dict(curve_of(pruning.folder / trial["folder"]))
        if trial["state"] == "pruned":
            pruned.append(trial["id"])
            assert trial["reason"] == f"pruned at step {len(set(steps))}"
    assert Halving().promotes(curves, pruned) is None  # whatever belongs to the best of its rung has gone on
    assert len([curve for curve in curves.values() if len(curve) > 1]) >= 10
    best = max(curves, key=lambda each: curves[each][1])
    assert best not in pruned
