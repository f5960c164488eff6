"""Trials that share their past: what is planned, and that each goes on from the other whatever is killed."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import shlex
import signal
from pathlib import Path
from typing import Any

import pytest

from cn.launching.launch.local import Local
from cn.launching.locks import held_below
from cn.sweeping.course import Course
from cn.sweeping.folder.batches import Trial
from cn.sweeping.planning.plan import Planned
from cn.sweeping.planning.sharing import Compared, _tree, common, components, reached
from tests.sweeps.cluster import Cluster
from tests.sweeps.project import COMPARE, Project, masked
from tests.sweeps.test_search import kill

SWEEP = '''
from runs import Run
from runs.launch import Launch
from runs.launch.{launch} import {kind}
from runs.schedule.constant import Constant
from runs.schedule.trapezoid import Trapezoid
from runs.told import Told
from sweeps import Axes, Sweep, grid, points, seeds


class Lengths(Sweep):
    """How long?"""

    base: Run = Told({base})
    axes: Axes = {axes}
    launch: Launch = {kind}({settings})
'''
CHAIN = 'grid({"seed": [1, 2], "steps": [3, 6, 12]})'
CONSTANT = "schedule=Constant(), validate_steps=1"
TREE = (
    'points([{"steps": 40, "schedule.cooldown": 38}, {"steps": 60, "schedule.cooldown": 40},'
    ' {"steps": 60, "schedule.cooldown": 50}])'
)
TRAPEZOID = "schedule=Trapezoid(warmup=0, cooldown=0), validate_steps=1"


def lengths(project: Project, axes: str = CHAIN, base: str = CONSTANT, launch: str = "local", **settings: Any) -> str:
    """Write the sweep; its name."""
    settings = {"parallel": 3} | settings
    said = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    text = SWEEP.format(axes=axes, base=base, launch=launch, kind=launch.title(), settings=said)
    project.write("sweeps/lengths.py", text)
    return "lengths"


def first_steps(project: Project) -> dict[str, int]:
    """The step from which each trial went on when it began last, by its words."""
    return {" ".join(each["words"]): project.begun(each)[-2]["step"] for each in project.trials("lengths")}


def ended(project: Project, name: str = "lengths") -> None:
    project.wait_for(lambda: not held_below(project.folder / "outputs/sweeps" / name / "jobs"))
    project.over(name)


def test_a_plan_says_what_is_shared_and_why(project: Project):
    lengths(project)
    said = masked(project.sweeps("plan", "lengths", "--why"))
    assert said == (
        "trial       state  what             past\n"
        f"----------  -----  ---------------  {'-' * 71}\n"
        "ID________  new    seed=1 steps=3   others go on from it after step 3\n"
        "ID________  new    seed=1 steps=6   goes on from ID________ after step 3; others go on from it after step 6\n"
        "ID________  new    seed=1 steps=12  goes on from ID________ after step 6\n"
        "ID________  new    seed=2 steps=3   others go on from it after step 3\n"
        "ID________  new    seed=2 steps=6   goes on from ID________ after step 3; others go on from it after step 6\n"
        "ID________  new    seed=2 steps=12  goes on from ID________ after step 6\n"
        "\n"
        "6 new\n"
        "to submit: 6 trials on this machine\n"
        "18 of 42 steps are shared, and trained once\n"
    )
    data = project.asked("plan", "lengths")
    assert (data["steps"], data["shared"]) == (42, 18)


@pytest.mark.parametrize(
    ("axes", "base", "reason"),
    [
        (
            'grid({"steps": [3, 6], "seed": [1, 2]})',
            "schedule=Trapezoid(warmup=0.5, cooldown=0.0)",
            "its rate at step 1 is 0.333333 of the base, and 0.25 in",
        ),
        ('points([{"steps": 3}, {"steps": 6, "seed": 2}])', CONSTANT, "differs from ID________ in seed"),
        ('grid({"steps": [3, 6]})', f"{CONSTANT}, log_every=1, task=Classify()", None),
        (
            'points([{"steps": 3}, {"steps": 6, "validate_every": 2}])',
            "schedule=Constant()",
            "differs from ID________ in validate_every",
        ),
        (
            'points([{"steps": 3}, {"steps": 6, "callbacks": ["ema"]}])',
            CONSTANT,
            "differs from ID________ in callbacks",
        ),
        (
            'grid({"steps": [3, 6], "schedule": ["plateau"]})',
            "validate_steps=1",
            "schedule: Plateau decides its rates while the run goes on",
        ),
        (
            'grid({"steps": [3, 6], "callbacks": [["profile"]]})',
            CONSTANT,
            "callbacks.profile: Profile may do other things in a run of another length (_any_length_)",
        ),
        ('grid({"steps": [6]})', CONSTANT, "there is no other trial to compare it with"),
    ],
)
def test_a_plan_says_why_nothing_is_shared(project: Project, axes: str, base: str, reason: str | None):
    lengths(project, axes, base)
    text = (project.folder / "sweeps/lengths.py").read_text()
    project.write(
        "sweeps/lengths.py", text.replace("from runs.told", "from runs.task.classify import Classify\nfrom runs.told")
    )
    said = masked(project.sweeps("plan", "lengths", "--why"))
    if reason is None:
        assert "shares nothing" not in said
        assert "2 of 9 steps" in said or "3 of 9 steps" in said
    else:
        assert f"shares nothing: {reason}" in said
        assert "are shared" not in said


def test_why_is_asked_of_a_plan_alone(project: Project):
    lengths(project)
    assert project.sweeps("status", "lengths", "--why", status=2) == (
        "--why explains a plan\n  write: python -m sweeps plan NAME --why\n"
    )


def test_the_common_part_is_run_once_here(project: Project):
    lengths(project)
    said = project.sweeps("submit", "lengths")
    assert said.splitlines()[1] == "  18 of 42 steps are shared, and trained once"
    ended(project)
    assert project.states("lengths") == {"done": 6}
    assert first_steps(project) == {
        f"seed={seed} steps={steps}": begins for seed in (1, 2) for steps, begins in ((3, 0), (6, 3), (12, 6))
    }
    for each in project.trials("lengths"):
        assert project.steps(each) == list(range(1, 1 + int(" ".join(each["words"]).rpartition("=")[2])))


def test_a_branch_begins_while_the_trial_that_it_leaves_goes_on(project: Project, held: Path):
    lengths(project, TREE, f"{TRAPEZOID}, act='hold', at=30")
    project.sweeps("submit", "lengths")
    project.until_saved("outputs/sweeps/lengths", [30, 30, 30])
    held.unlink()
    ended(project)
    first, *others = project.trials("lengths")
    assert sorted(first_steps(project).values()) == [0, 2, 10]
    begun = [project.begun(each)[0]["time"] for each in others]
    assert min(begun) < project.begun(first)[-1]["ended"]


def test_a_trial_goes_on_from_one_of_an_earlier_submission_unless_its_code_has_changed(project: Project):
    lengths(project)
    project.sweeps("submit", "lengths")
    ended(project)
    lengths(project, CHAIN.replace("12]", "12, 24]"))
    said = masked(project.sweeps("plan", "lengths", "--why"))
    assert "ID________  new    seed=1 steps=24  goes on from ID________ after step 12\n" in said
    assert "24 of 48 steps are shared, and trained once\n" in said
    project.sweeps("submit", "lengths")
    ended(project)
    assert first_steps(project)["seed=2 steps=24"] == 12
    lengths(project, CHAIN.replace("12]", "12, 48]"))
    project.write("runs/told.py", (project.folder / "runs/told.py").read_text() + "\n# other code\n")
    assert "are shared" not in project.sweeps("plan", "lengths")


def test_a_trial_whose_past_was_killed_begins_at_step_0(project: Project, held: Path):
    lengths(project, 'grid({"steps": [40, 50]})', f"{CONSTANT}, act='hold', at=9")
    project.sweeps("submit", "lengths")
    project.until_saved("outputs/sweeps/lengths", [9])
    first, second = project.trials("lengths")
    os.kill(project.begun(first)[0]["pid"], signal.SIGKILL)
    held.unlink()
    ended(project)
    assert [each["state"] for each in project.trials("lengths")] == ["failed", "done"]
    assert project.begun(second)[0]["step"] == 0
    assert project.steps(second) == list(range(1, 51))


def test_a_done_trial_goes_on_when_its_base_is_longer(project: Project):
    lengths(project, "seeds(2)", f"{CONSTANT}, steps=5")
    project.sweeps("submit", "lengths")
    ended(project)
    said = project.sweeps("submit", "lengths", "base.steps=8")
    assert said.splitlines()[1] == "  10 of 16 steps are shared, and trained once"
    ended(project)
    assert {each["step"] for trial in project.trials("lengths") for each in project.begun(trial)[:1]} == {0, 5}


@pytest.mark.slow
def test_a_killed_supervisor_loses_nothing_of_what_is_shared(project: Project):
    lengths(project, CHAIN.replace("3, 6, 12", "30, 60, 120"), f"{CONSTANT}, pause=0.02")
    project.sweeps("submit", "lengths")
    project.wait_for(lambda: len(project.saved("outputs/sweeps/lengths")) > 2)
    assert len(kill(project, "outputs/sweeps/lengths")) == 1
    lost = {each["state"] for each in project.trials("lengths")}
    assert "failed" in lost
    project.sweeps("retry", "lengths")
    ended(project)
    project.sweeps("submit", "lengths")
    ended(project)
    assert project.states("lengths") == {"done": 6}
    for each in project.trials("lengths"):
        length = int(" ".join(each["words"]).rpartition("=")[2])
        assert sorted(set(project.steps(each))) == list(range(1, length + 1))


PROCESSES = """
from data.digits import Digits
from models.mlp import Mlp
from runs import Run
from runs.default import Default
from runs.launch import Launch
from runs.launch.local import Local
from runs.schedule.trapezoid import Trapezoid
from sweeps import Axes, Sweep, points

SMALL = {"model": Mlp(hidden_sizes=(8,)), "data": Digits(batch_size=256), "gpu": -1, "log_every": 3}


class Lengths(Sweep):
    base: Run = Default(**SMALL, schedule=Trapezoid(warmup=1, cooldown=1))
    axes: Axes = points([{"epochs": 2}, {"epochs": 3}])
    launch: Launch = Local(processes=2, parallel=2)
"""


def test_trials_of_two_processes_each_share_their_past_and_are_their_own_runs_to_the_bit(real: Project):
    real.write("sweeps/lengths.py", PROCESSES)
    assert real.sweeps("submit", "lengths").splitlines()[1] == "  7 of 20 steps are shared, and trained once"
    ended(real)
    assert real.states("lengths") == {"done": 2}
    shared: list[str] = []
    for trial in real.trials("lengths"):
        branch, own = real.folder / trial["folder"], real.folder / "outputs" / trial["id"]
        shared += re.findall(r"^its first (\d+) steps are those of ", (branch / "log.txt").read_text(), re.MULTILINE)
        _, *command = shlex.split((branch / "command.txt").read_text())
        real.type(*command, "launch.processes=2", f"folder={own}")
        assert "its first " not in (own / "log.txt").read_text()
        assert real.type(COMPARE, str(branch), str(own)) == "last.pt []\nbest.pt []\n"
        assert (branch / "metrics.jsonl").read_text() == (own / "metrics.jsonl").read_text()
        summaries = [json.loads((each / "summary.json").read_text()) for each in (branch, own)]
        assert [each["processes"] for each in summaries] == [2, 2]
        assert {key for key in summaries[0] | summaries[1] if summaries[0].get(key) != summaries[1].get(key)} == {
            "seconds",
            "command",
        }
    assert shared == ["7"]


@pytest.mark.slurm
def test_trials_of_one_tree_are_one_job_of_a_cluster(project: Project, slurm: Cluster):
    lengths(project, launch="slurm", parallel=4, hours=0.5, gpus=0)
    said = project.sweeps("plan", "lengths")
    assert "to submit: 1 array" in said
    project.sweeps("submit", "lengths")
    project.over("lengths")
    assert project.states("lengths") == {"done": 6}
    assert first_steps(project)["seed=2 steps=12"] == 6
    batches = [
        json.loads(line)
        for line in sorted((project.folder / "outputs/sweeps/lengths/jobs").glob("*.jsonl"))[0].read_text().splitlines()
    ]
    assert [len(row) for row in batches[1:]] == [3, 3]


def compared(number: int, rates: list[float], *, passed: bool = True) -> Compared:
    trial = Trial(str(number), (), {}, f"trials/{number}", place=number)
    return Compared(Planned(trial, Local()), Course(rates, passed), "")


@pytest.mark.parametrize("seed", range(200))
def test_the_tree_shares_the_most_steps_that_a_tree_can(seed: int):
    draw = random.Random(seed)
    group = [
        compared(
            number, [draw.choice([1.0, 1.0, 0.5]) for _ in range(draw.randrange(1, 8))], passed=draw.random() < 0.7
        )
        for number in range(draw.randrange(2, 7))
    ]
    pasts = _tree(group)
    by_id = {each.trial.id: each for each in group}
    for name, (donor, step) in pasts.items():
        one, other = by_id[name], by_id[donor.id]
        assert 0 < step <= common(one.course.rates, other.course.rates)
        assert step < one.steps
        assert step < other.steps or other.course.passed
        assert pasts.get(donor.id, (donor, 0))[1] <= step
    assert len(set(pasts)) < len(group)
    by_place = [by_id[name] for name in by_id]
    whole = all(each.passed for each in (one.course for one in group)) and len(
        {tuple(e.course.rates) for e in group}
    ) == len(group)
    if whole:
        saved = sum(step for _, step in pasts.values())
        assert saved == max(_saved(order) for order in itertools.permutations(by_place))


def _saved(order: tuple[Compared, ...]) -> int:
    """The steps that are saved if each trial goes on from an earlier one of this order."""
    total = 0
    begins: dict[str, int] = {}
    for place, each in enumerate(order):
        steps = [step for other in order[:place] if (step := reached(other, each)) >= begins[other.trial.id]]
        begins[each.trial.id] = max(steps, default=0)
        total += begins[each.trial.id]
    return total


def test_each_trial_comes_after_the_one_from_which_it_goes_on():
    def trial(name: str, past: str = "", after: int = 0) -> Trial:
        return Trial(name, (), {}, name, past=past, after=after)

    trials = [trial("d", "b", 9), trial("a"), trial("c", "a", 7), trial("b", "a", 5), trial("e"), trial("f", "gone", 3)]
    assert [[each.id for each in tree] for tree in components(trials)] == [["a", "b", "c", "d"], ["e"], ["f"]]
