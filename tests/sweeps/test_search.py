"""A search asks for points one after the other, trains them, and goes on after anything was killed."""

from __future__ import annotations

import itertools
import json
import os
import random as random_module
import signal
import time
from contextlib import suppress
from typing import Any

import pytest

from cn.launching.locks import held_below
from sweeps import integers, log_uniform, random
from tests.sweeps.askers import ASKERS
from tests.sweeps.cluster import Cluster
from tests.sweeps.project import Project, words
from tests.sweeps.test_disasters import supervisor
from tests.sweeps.test_interrupted import preempt

SEARCH = '''
from runs import Run
from runs.launch import Launch
from runs.launch.local import Local
from runs.told import Told
from sweeps import Axes, Cmaes, Gp, Random, Search, Sweep, Tpe, integers, log_uniform, seeds, space


class Hunt(Sweep):
    """Which value?"""

    base: Run = Told({base})
    axes: Axes = {axes}
    search: Search = {search}
    launch: Launch = Local(parallel={parallel})
'''
AXES = 'space({"value": log_uniform(1e-3, 1), "steps": integers(1, 3)})'


def hunt(
    project: Project, search: str = "Random(trials=12)", *, axes: str = AXES, base: str = "", parallel: int = 3
) -> str:
    """Write the search; its name."""
    project.write("sweeps/hunt.py", SEARCH.format(search=search, axes=axes, base=base, parallel=parallel))
    return "hunt"


def points(project: Project, folder: str = "outputs/sweeps/hunt") -> list[dict[str, Any]]:
    """What the files of the points say, in order."""
    paths = sorted((project.folder / folder / "search").glob("0*.json"))
    assert [int(path.stem) for path in paths] == list(range(len(paths)))
    return [json.loads(path.read_text()) for path in paths]


def once_each(project: Project, count: int, folder: str = "outputs/sweeps/hunt", *, killed: bool = False) -> None:
    """So many points were asked, no two alike, and each has run to its end once.

    killed: at random moments, one of which may be between the summary of a run and the note that it has ended.
    """
    asked = points(project, folder)
    assert len(asked) == count
    ids = [trial["id"] for point in asked for trial in point["trials"]]
    assert len(set(ids)) == len(ids)
    notes = [project.folder / folder / "trials" / each[:2] / each / "begun" for each in ids]
    for path in notes:
        ended = path.read_text().count("ended")
        assert ended == 1 or (killed and ended == 0 and (path.parent / "summary.json").exists()), path
    assert len(project.reports(folder)) == len(ids)


def finished(project: Project, name: str) -> dict[str, int]:
    """Wait until no worker searches and no trial runs; the counts of states."""
    told: dict[str, Any] = {}

    def ready() -> bool:
        nonlocal told
        told = project.asked("status", name)
        return not told["search"]["searches"] and not {"queued", "running", "waiting"} & told["counts"].keys()

    project.wait_for(ready, pause=0.5)
    return told["counts"]


def hold(project: Project) -> None:
    """Have trials that are to hold do so."""
    project.hold.parent.mkdir(exist_ok=True)
    project.hold.touch()


def test_a_random_search_runs_the_points_of_random_axes(project: Project):
    name = hunt(project)
    said = project.sweeps("plan", name)
    assert said == (
        "0 of 12 points are asked\n"
        'Random(trials=12, seed=0) draws points from space({"value": log_uniform(0.001, 1), "steps": integers(1, 3)})\n'
        "to submit: 3 workers on this machine\n"
    )
    assert project.sweeps("submit", name).startswith("queued 3 workers: ")
    project.wait("outputs/sweeps/hunt", lambda reports: [each["state"] for each in reports] == ["done"] * 12)
    once_each(project, 12)
    drawn = random(12, {"value": log_uniform(1e-3, 1), "steps": integers(1, 3)}).points
    assert [point["values"] for point in points(project)] == drawn
    assert finished(project, name) == {"done": 12}
    best = project.asked("best", name)
    assert best["value"] == max(point["value"] for point in drawn)
    assert project.sweeps("submit", name).splitlines()[:2] == [
        "nothing new to queue (12 done)",
        "  12 of 12 points are asked",
    ]
    assert "queued 3 workers" in project.sweeps("submit", name, "search.trials=20")
    project.wait("outputs/sweeps/hunt", lambda reports: len(reports) == 20)
    finished(project, name)
    once_each(project, 20)
    assert [point["values"] for point in points(project)[:12]] == drawn


def kill(project: Project, folder: str = "outputs/sweeps/hunt") -> list[int]:
    """Kill the supervisor of each batch that is alive, and wait until its processes are gone; the pids."""
    jobs = project.folder / folder / "jobs"
    killed = [int(each.number) for each in held_below(jobs)]
    for pid in killed:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    project.wait_for(lambda: not held_below(jobs))
    return killed


@pytest.mark.parametrize("sampler", ["Random", pytest.param("Tpe", marks=pytest.mark.long)])
def test_workers_killed_at_random_moments_and_submitted_again_lose_and_repeat_nothing(project: Project, sampler: str):
    name = hunt(project, f"{sampler}(trials=120)", base="pause=0.02", parallel=8)
    moments = random_module.Random(0)
    for _ in range(8):
        project.sweeps("submit", name)
        time.sleep(moments.uniform(0.2, 2.0))
        kill(project)
    project.sweeps("submit", name)
    assert finished(project, name) == {"done": 120}
    once_each(project, 120, killed=True)
    assert "nothing new to queue (120 done)" in project.sweeps("submit", name)


def test_eight_processes_that_ask_at_once_and_are_killed_at_random_moments_ask_each_point_once(project: Project):
    name = hunt(project, "Random(trials=300)")
    project.write("askers.py", ASKERS)
    project.type("askers.py", name, "8", "20", "0.1")
    asked = points(project)
    assert len(asked) == 300
    assert len({json.dumps(point["values"]) for point in asked}) == 300
    draws = [point["draw"] for point in asked]
    assert draws == sorted(set(draws))
    assert draws[-1] < 310


def test_a_point_is_measured_with_each_seed_and_its_value_is_the_mean(project: Project):
    name = hunt(project, "Tpe(trials=4, startup=2)", axes=f"{AXES} * seeds(3)")
    project.sweeps("submit", name)
    assert finished(project, name) == {"done": 12}
    once_each(project, 4)
    rows = project.asked("results", name)["rows"]
    assert [row["count"] for row in rows] == [3] * 4


def test_a_search_ends_and_says_so_when_its_space_holds_no_further_point(project: Project):
    name = hunt(project, axes='space({"steps": [1, 2, 3]})')
    project.sweeps("submit", name)
    assert finished(project, name) == {"done": 3}
    assert project.sweeps("plan", name).splitlines()[-3] == (
        "3 of 12 points are asked; the search ended: 20 suggestions in a row were points that are known already, or "
        "that keep() leaves out: 3 of 12 points are asked"
    )


def test_an_error_in_the_sampler_ends_the_search_and_not_the_trials(project: Project):
    name = hunt(project, "Broken(trials=5)")
    text = (project.folder / "sweeps/hunt.py").read_text()
    own = "\n\nclass Broken(Random):\n    def suggest(self, space, past, number, *, maximize):\n"
    own += "        if number == 2:\n            raise ValueError('no idea')\n"
    own += "        return super().suggest(space, past, number, maximize=maximize)\n\n\nclass Hunt"
    project.write("sweeps/hunt.py", text.replace("\n\nclass Hunt", own))
    project.sweeps("submit", name)
    assert finished(project, name) == {"done": 2}
    assert "2 of 5 points are asked; the search ended: ValueError: no idea" in project.sweeps("plan", name)


def test_what_was_cancelled_goes_on_when_it_is_submitted_again(project: Project):
    name = hunt(project, base="act='hold', at=0")
    project.sweeps("submit", name, "search.trials=4")
    assert finished(project, name) == {"done": 4}
    hold(project)
    project.sweeps("submit", name)
    project.wait_for(lambda: len(project.reports("outputs/sweeps/hunt")) == 7)
    project.sweeps("cancel", name)
    assert finished(project, name) == {"done": 4, "cancelled": 3}
    project.hold.unlink()
    assert "  3 trials of killed or cancelled workers go on\n" in project.sweeps("submit", name)
    assert finished(project, name) == {"done": 12}
    once_each(project, 12)


def test_a_search_that_is_submitted_again_waits_for_its_cancelled_workers(project: Project):
    name = hunt(project, "Random(trials=3)", base="act='stubborn', at=0")
    hold(project)
    project.sweeps("submit", name)
    project.wait_for(lambda: len(project.reports("outputs/sweeps/hunt")) == 3)
    project.sweeps("cancel", name)
    again = project.start("-m", "sweeps", "submit", name)
    assert again.stderr is not None
    assert again.stderr.readline() == "what was cancelled has not ended yet, and submit waits for it\n"
    project.hold.unlink()
    out, error = again.communicate()
    assert "  3 trials of killed or cancelled workers go on\n" in out, error
    assert finished(project, name) == {"done": 3}


def test_a_second_submission_queues_no_workers_beside_those_that_search(project: Project):
    name = hunt(project, base="act='hold', at=0", parallel=2)
    hold(project)
    assert "queued 2 workers" in project.sweeps("submit", name)
    assert project.sweeps("submit", name).startswith("nothing new to queue: its workers search")
    project.wait_for(lambda: len(points(project)) >= 2)
    assert "points are asked; its workers search" in project.sweeps("status", name)
    assert "queued 2 workers" in project.sweeps("submit", name, "search.trials=14")  # they wait for the others to end
    project.hold.unlink()
    assert finished(project, name) == {"done": 14}
    once_each(project, 14)


def test_workers_that_have_asked_for_nothing_yet_are_known_to_every_verb(project: Project):
    path = "cn/sweeping/job/ask.py"
    waits = "        import os, time\n        while os.path.exists('outputs/hold'):\n            time.sleep(0.02)\n"
    line = "        with self.points.locked():\n"
    text = (project.folder / path).read_text()
    assert text.count(line) == 1
    project.write(path, text.replace(line, waits + line))
    name = hunt(project)
    hold(project)
    assert "queued 3 workers" in project.sweeps("submit", name)
    assert "to submit: " not in project.sweeps("plan", name)
    assert "points are asked; its workers search" in project.sweeps("status", name)
    assert project.sweeps("submit", name).startswith("nothing new to queue: its workers search")
    project.hold.unlink()
    assert finished(project, name) == {"done": 12}


def test_trials_that_fail_alike_end_the_search_and_are_run_again_by_retry(project: Project):
    name = hunt(project, base="act='raise', at=0", parallel=1)
    project.sweeps("submit", name)
    assert finished(project, name) == {"failed": 3}
    assert len(points(project)) <= 4
    project.write("train.py", (project.folder / "train.py").read_text().replace("raise Zero", "return; raise Zero"))
    project.sweeps("retry", name)
    assert finished(project, name) == {"done": 3}
    project.sweeps("submit", name)
    assert finished(project, name) == {"done": 12}
    assert len(points(project)) == 12


def test_a_damaged_file_of_a_point_is_named_and_its_part_of_the_budget_is_spent(project: Project):
    name = hunt(project)
    project.sweeps("submit", name)
    finished(project, name)
    (project.folder / "outputs/sweeps/hunt/search/000003.json").write_text("{")
    assert "outputs/sweeps/hunt/search/000003.json is damaged: it holds no JSON" in project.sweeps("status", name)
    assert "nothing new to queue (11 done)" in project.sweeps("submit", name)
    project.sweeps("retry", name)
    assert "is damaged" not in project.sweeps("status", name)
    assert (project.folder / "outputs/sweeps/hunt/search/000003.json.damaged").read_text() == "{"
    project.sweeps("submit", name, "search.trials=14")
    assert finished(project, name) == {"done": 13}
    assert len(points(project)) == 14


def test_a_search_finds_the_few_points_that_keep_takes_and_says_so_when_there_are_none(project: Project):
    name = hunt(project, "Random(trials=8)", axes='space({"steps": integers(1, 999)})')
    text = (project.folder / "sweeps/hunt.py").read_text()
    project.write("sweeps/hunt.py", f"{text}\n    def keep(self, trial):\n        return trial.steps % 25 == 0\n")
    project.sweeps("submit", name)
    assert finished(project, name) == {"done": 8}
    drawn = [point["steps"] for point in random(999, {"steps": integers(1, 999)}).points]
    few = list(dict.fromkeys(steps for steps in drawn if steps % 25 == 0))
    assert max(drawn.index(b) - drawn.index(a) for a, b in itertools.pairwise(few[:8])) > 40
    assert [point["values"]["steps"] for point in points(project)] == few[:8]
    project.write("sweeps/hunt.py", f"{text}\n    def keep(self, trial):\n        return False\n")
    project.sweeps("submit", name, "folder=none")
    finished(project, "none")
    told = "the search ended: 1000 suggestions in a row were points that are known already, or that keep() leaves out"
    assert f"0 of 8 points are asked; {told}" in project.sweeps("status", name, "folder=none")
    assert f"0 points are asked; {told}" in project.sweeps("status", "none")


def test_points_that_were_asked_of_another_base_are_told(project: Project):
    name = hunt(project, "Random(trials=2)", axes='space({"value": log_uniform(1e-3, 1)})')
    project.sweeps("submit", name)
    finished(project, name)
    told = "changed since: 2 trials had steps=1 (now 2), and count as points all the same\n"
    assert "changed since" not in project.sweeps("plan", name, "base.value=0.7", "base.log_every=3")  # value is drawn
    assert told in project.sweeps("plan", name, "base.steps=2")
    assert told in project.sweeps("submit", name, "base.steps=2")


def test_keep_and_derive_are_those_of_the_sweep(project: Project):
    name = hunt(project, "Random(trials=5)", axes='space({"steps": integers(1, 99)})')
    more = """
    def keep(self, trial):
        return trial.steps % 2 == 1

    def derive(self, trial):
        return {"pause": trial.steps / 1000}
"""
    project.write("sweeps/hunt.py", (project.folder / "sweeps/hunt.py").read_text() + more)
    project.sweeps("submit", name)
    assert finished(project, name) == {"done": 5}
    drawn = [point["steps"] for point in random(50, {"steps": integers(1, 99)}).points]
    odd = list(dict.fromkeys(steps for steps in drawn if steps % 2))[:5]
    told = [trial["words"] for trial in project.trials(name)]
    assert told == [[f"steps={steps}", f"pause={steps / 1000}"] for steps in odd]


def test_options_with_parameters_of_their_own_are_a_sum_times_what_they_share(project: Project):
    options = 'space({"model": [ViT(dim=48)], "model.depth": integers(1, 3)}) + space({"model": ["resnet18"]})'
    name = hunt(project, "Tpe(trials=10, startup=5)", axes=f'({options}) * space({{"value": log_uniform(1e-3, 1)}})')
    text = (project.folder / "sweeps/hunt.py").read_text()
    project.write("sweeps/hunt.py", text.replace("from runs import", "from models.vit import ViT\nfrom runs import", 1))
    project.sweeps("submit", name)
    assert finished(project, name) == {"done": 10}
    models = [trial["config"]["model"] for point in points(project) for trial in point["trials"]]
    kinds = {each["_class_"].partition(":")[2] for each in models}
    assert len(kinds) == 2
    vits = [each for each in models if each["_class_"] == "models.vit:ViT"]
    assert {each["dim"] for each in vits} == {48}
    assert {each["depth"] for each in vits} <= {1, 2, 3}


def test_a_missing_package_is_told_before_anything_is_queued(project: Project):
    name = hunt(project, "Tpe(trials=5)")
    project.write("without.py", WITHOUT)
    said = project.type("without.py", "submit", name, status=2)
    assert said == "search=tpe: optuna is not installed\n  type: pip install 'cn[search]'\n"


WITHOUT = """
import importlib.util, sys

import cn.lazy
from sweeps.__main__ import main

cn.lazy.find_spec = lambda name: None if name == "optuna" else importlib.util.find_spec(name)
sys.exit(main())
"""


REFUSED = {
    "a space without a search": (
        {"search": "None"},
        "axes is a space, and search is null; write: search: Search = Tpe(trials=25)\n"
        "  Hunt is defined in sweeps/hunt.py:9\n",
    ),
    "a search over points": (
        {"axes": "seeds(3)"},
        "search draws points out of a space, and axes has points of its own; write: axes: Axes = "
        'space({"optim.lr": log_uniform(1e-5, 1e-3)})\n  Hunt is defined in sweeps/hunt.py:9\n',
    ),
    "a field that the base lacks": (
        {"axes": 'space({"valeu": [1, 2]})'},
        "valeu=2: Told has no field 'valeu'\n  defined in runs/told.py:12\n"
        "  nearest: value, validate_batch, validate_every\n  see: python train.py --help\n",
    ),
    "a space and points": (
        {"axes": AXES + " + seeds(3)"},
        "sweeps/hunt.py cannot be used\n  a space and points are added: a search draws from spaces alone\n"
        '    write: space({"optim.lr": [0.1]}) for points as a space\n  at sweeps/hunt.py:13\n',
    ),
    "an axis twice": (
        {"axes": AXES + ' * space({"steps": [1]})'},
        "sweeps/hunt.py cannot be used\n  both factors of a product give steps values\n    keep it in one of them\n"
        "  at sweeps/hunt.py:13\n",
    ),
}


@pytest.mark.parametrize(("changed", "text"), REFUSED.values(), ids=REFUSED)
def test_what_a_search_cannot_do_is_refused(project: Project, changed: dict[str, str], text: str):
    name = hunt(project, **changed)
    path = project.folder / "sweeps/hunt.py"
    path.write_text(path.read_text().replace("search: Search =", "search: Search | None ="))
    assert project.sweeps("plan", name, status=2) == text


@pytest.mark.long
def test_on_a_cluster_workers_that_are_preempted_or_killed_go_on(project: Project, slurm: Cluster):
    """The four jobs on one node are preempted; two of the others are killed with -9, and the search is submitted again.

    All of them are hit while they train, and no step that was saved is lost.
    """
    name = hunt(project, "Tpe(trials=40, startup=5)", base="act='hold', at=1", axes=AXES.replace("(1, 3)", "(3, 5)"))
    place = words("slurm", gpus=1, hours=0.5, partition="low", parallel=8)
    folder = "outputs/sweeps/hunt"
    project.sweeps("submit", name, *place, "search.trials=6")
    assert finished(project, name) == {"done": 6}
    hold(project)
    assert project.sweeps("submit", name, *place).startswith("queued 8 workers: ")
    project.wait_for(lambda: project.saved(folder).count(1) == 8)
    trials = [each for each in project.trials(name) if each["state"] == "running"]
    by_node = {node: [each for each in trials if project.begun(each)[0]["node"] == node] for node in ("n1", "n2")}
    assert [len(each) for each in by_node.values()] == [4, 4]
    preempt(slurm, "n1")
    assert project.until(name, lambda counts: counts.get("waiting") == 4) == {"running": 4, "waiting": 4, "done": 6}
    preempted = [each for each in project.trials(name) if each["state"] == "waiting"]
    assert {each["id"] for each in preempted} == {each["id"] for each in by_node["n1"]}
    assert [each["reason"] for each in preempted] == ["preempted"] * 4
    killed = by_node["n2"][:2]
    for trial in killed:
        os.kill(supervisor(project.begun(trial)[0]["pid"]), signal.SIGKILL)
    project.until(name, lambda counts: counts.get("failed") == 2)
    project.hold.unlink()
    for trial in preempted:
        slurm.start_requeued(trial["job"])
    assert finished(project, name) == {"failed": 2, "done": 38}
    project.sweeps("submit", name, *place)
    assert finished(project, name) == {"done": 40}
    once_each(project, 40)
    steps = {trial["id"]: [each.get("step") for each in project.begun(trial)] for trial in [*preempted, *killed]}
    assert [steps[each["id"]] for each in preempted] == [[0, 2, None]] * 4
    assert all(steps[each["id"]] in ([0, 1, None], [0, 2, None]) for each in killed)  # some have a step more to save
