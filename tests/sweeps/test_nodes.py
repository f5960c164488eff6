"""Runs of several processes in jobs of SLURM's, on one node and over two: with the real train.py, on the CPU."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.sweeps.cluster import Cluster
from tests.sweeps.project import COMPARE, Project, words
from tests.sweeps.test_interrupted import preempt
from tests.sweeps.test_search import finished

SMALL = ("model=mlp", "model.hidden_sizes=[8]", "data.batch_size=128", "gpu=-1")

ACTS = '''
"""Steps take long while outputs/hold is there, and a process, or what started it, may end at step 12."""

from __future__ import annotations

import os
import signal
import time

from runs.callbacks import Callback
from runs.callbacks._hooks import Hooks


class Acts(Callback):
    how: str = ""  # raise; or which process is killed: rank 1; its trial's or its node's; the first node's
    pause: float = 0.0  # s a step, while outputs/hold is there

    def build(self) -> Hooks:
        return Acting(self.how, self.pause)


class Acting(Hooks):
    def __init__(self, how: str, pause: float) -> None:
        self.how, self.pause = how, pause

    def on_step(self, training) -> None:
        if not os.path.exists("outputs/hold"):
            return
        time.sleep(self.pause)
        if not self.how or training.ranks.first != (self.how == "first") or training.step != 12:
            return
        if self.how == "raise":
            raise ZeroDivisionError("no number is divided by 0")
        pid = os.getpid()
        for _ in range({"rank": 0, "trial": 1, "node": 2, "first": 2}[self.how]):
            with open(f"/proc/{pid}/stat") as file:
                pid = int(file.read().rpartition(")")[2].split()[1])
        os.kill(pid, signal.SIGKILL)
'''


@pytest.fixture
def real(real: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """With a callback that ends processes."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    real.write("runs/callbacks/acts.py", ACTS)
    return real


def sweep(project: Project, name: str, axes: str, *, steps: int, pause: float = 0.0) -> str:
    """Runs with the callback, that save every few steps."""
    parts = "model=Mlp(hidden_sizes=(8,)), data=Digits(batch_size=128), gpu=-1"
    base = f"{parts}, callbacks={{'acts': Acts(pause={pause})}}, steps={steps}, save_every=5, log_every=7"
    project.sweep(name, axes, base=base)
    text = (project.folder / f"sweeps/{name}.py").read_text()
    more = "from data.digits import Digits\nfrom models.mlp import Mlp\nfrom runs.callbacks.acts import Acts\n"
    project.write(f"sweeps/{name}.py", more + text)
    return name


def saved(project: Project, folder: str, count: int) -> None:
    """Wait for so many trials to have a checkpoint."""
    project.wait_for(lambda: len(list((project.folder / folder).glob("trials/*/*/last.pt"))) >= count)


def begun_again(project: Project, log: Path, count: int) -> None:
    """Wait until a run has gone on so many times."""
    project.wait_for(lambda: log.read_text().count("goes on after step ") >= count)


def undisturbed(project: Project, trial: dict[str, Any], folder: str) -> str:
    """What differs between a trial and the same run by two processes of this machine, to the bit."""
    last = project.folder / trial["folder"]
    python, *command = shlex.split((last / "command.txt").read_text())
    assert python == "python"
    command = [word for word in command if not word.startswith("launch")]
    project.type(*command, "launch=local", "launch.processes=2", f"folder={folder}")
    return project.type(COMPARE, str(last), folder)


def test_runs_on_two_nodes_or_two_gpus_are_those_of_one_process(real: Project, slurm: Cluster):
    """Two trials of one job over two nodes, one after the other, and one with two GPUs of a node."""
    typed = ["train.py", *SMALL, "optim=sgd", "steps=12"]  # Adam enlarges the rounding errors of small gradients
    over_two = words("slurm", nodes=2, pack=2, in_turn="true", hours=0.5)
    said = real.type(*typed, "-m", "seed=1,2", *over_two)
    nodes = said.split()[-1]
    said = real.type(*typed, *words("slurm", gpus=2, wait="true"), "folder=outputs/pair")
    assert said.startswith("queued 1 run as ")
    real.type(*typed, "folder=outputs/one")
    assert real.over(nodes) == {"done": 2}
    first, second = real.trials(nodes)
    assert first["job"] == second["job"]
    assert first["host"] == "n1"
    for folder in (first["folder"], second["folder"], "outputs/pair"):
        summary = json.loads((real.folder / folder / "summary.json").read_text())
        assert (summary["state"], summary["processes"], summary["step"]) == ("finished", 2, 12)
        assert (real.folder / folder / "rank1.txt").read_text() == ""
    one = json.loads((real.folder / "outputs/one/summary.json").read_text())
    for folder in (first["folder"], "outputs/pair"):
        summary = json.loads((real.folder / folder / "summary.json").read_text())
        for name in ("validation/loss", "test/loss"):
            assert summary[name] == pytest.approx(one[name], rel=1e-5)


REASONS = {
    "raise": "rank 1: callbacks.acts failed in on_step: ZeroDivisionError: no number is divided by 0",
    "rank": "rank 1 was ended by SIGKILL, as the kernel does where memory runs out",
    "trial": "on n2: killed by SIGKILL, as the kernel does where memory runs out",
    "node": "n2 was lost, with the processes of the run on it",
    "first": "killed by SIGKILL",
}


@pytest.mark.usefixtures("held")
@pytest.mark.long
def test_what_ends_a_process_of_another_node_ends_the_run_and_is_told_first(real: Project, slurm: Cluster):
    """It raises, is killed, or what started it is; tried again, the run goes on to the same bits."""
    name = sweep(real, "ways", f"grid({{'callbacks.acts.how': {list(REASONS)}}})", steps=40)
    real.sweeps("submit", name, *words("slurm", nodes=2, gpus=0))
    assert real.over(name) == {"failed": 5}
    trials = {trial["words"][0].partition("=")[2]: trial for trial in real.trials(name)}
    assert {how: trial["reason"] for how, trial in trials.items()} == REASONS
    for how, trial in trials.items():
        again = f"  to go on from the last checkpoint: python train.py --from {trial['folder']}"
        assert again in trial["log"][-2:], how
        if how != "first":  # which says no more
            assert REASONS[how] in trial["log"][-2:], how
            assert f"\n{REASONS[how]}\n" in real.sweeps("logs", name, trial["id"])
            summary = json.loads((real.folder / trial["folder"] / "summary.json").read_text())
            assert (summary["state"], summary["reason"]) == ("failed", REASONS[how])
    assert "ZeroDivisionError" in (real.folder / trials["raise"]["folder"] / "rank1.txt").read_text()
    assert not slurm.squeue()
    real.hold.unlink()
    real.sweeps("retry", name, *words("slurm", nodes=2, gpus=0))
    assert real.over(name) == {"done": 5}
    for trial in real.trials(name):
        assert trial["attempt"] == 2
        log = (real.folder / trial["folder"] / "log.txt").read_text()
        assert log.count("goes on after step ") == log.count(" 2 processes\n") - 1 == 1
    assert undisturbed(real, trial, "outputs/whole") == "last.pt []\nbest.pt []\n"


@pytest.mark.usefixtures("held")
@pytest.mark.long
def test_a_run_over_two_nodes_is_preempted_meets_its_limit_is_cancelled_and_loses_a_node(real: Project, slurm: Cluster):
    """The first two go on by themselves, to the same bits; the third does when it is told to."""
    names = {kind: sweep(real, kind, "seeds(1)", steps=400, pause=0.5) for kind in ("patient", "limited", "low")}
    real.sweeps("submit", "patient", *words("slurm", nodes=2, partition="patient"))
    for name in ("limited", "low"):
        real.sweeps("submit", name, *words("slurm", nodes=2, gpus=0))
    for name in names:
        saved(real, f"outputs/sweeps/{name}", 1)
    slurm.expire(real.only("limited")["job"], seconds=120)  # it is warned 90 s before
    high = slurm.sbatch("true", "--partition=high", "--gres=gpu:4", "--nodelist=n2", "--output=/dev/null")
    said = real.sweeps("cancel", "low")
    again = "python -m sweeps retry low launch=slurm launch.nodes=2 launch.gpus=0\n"
    assert said == f"cancelled 1 trial; to go on with them: {again}"
    assert real.over("low") == {"cancelled": 1}
    slurm.wait(high, "COMPLETED")
    assert real.until("patient", lambda counts: "running" not in counts) == {"waiting": 1}
    assert real.until("limited", lambda counts: "running" not in counts) == {"waiting": 1}
    assert [real.only(name)["reason"] for name in names] == ["preempted", "time limit", "cancelled"]
    real.hold.unlink()
    slurm.run("scontrol", "update", f"JobId={real.only('limited')['job']}", "TimeLimit=60")
    for name in ("patient", "limited"):
        slurm.start_requeued(real.only(name)["job"])
        assert real.over(name) == {"done": 1}
        log = (real.folder / real.only(name)["folder"] / "log.txt").read_text()
        assert (log.count("stopped by SIGTERM after step "), log.count("goes on after step ")) == (1, 1)
        assert undisturbed(real, real.only(name), f"outputs/whole_{name}") == "last.pt []\nbest.pt []\n"

    real.hold.touch()
    real.sweeps("retry", "low", *words("slurm", nodes=2, gpus=0))
    real.until("low", lambda counts: counts == {"running": 1})
    log = real.folder / real.only("low")["folder"] / "log.txt"
    begun_again(real, log, 1)
    slurm.down("n2")
    assert real.until("low", lambda counts: "running" not in counts) == {"waiting": 1}
    slurm.resume("n2")
    slurm.start_requeued(real.only("low")["job"])
    begun_again(real, log, 2)
    real.hold.unlink()
    assert real.over("low") == {"done": 1}


SEARCH = """
from data.digits import Digits
from models.mlp import Mlp
from runs import Run
from runs.callbacks.acts import Acts
from runs.default import Default
from runs.launch import Launch
from runs.launch.slurm import Slurm
from sweeps import Axes, Random, Search, Sweep, log_uniform, space

SMALL = {"model": Mlp(hidden_sizes=(8,)), "data": Digits(batch_size=128), "gpu": -1, "steps": 40, "save_every": 5}


class Hunt(Sweep):
    base: Run = Default(**SMALL, log_every=7, callbacks={"acts": Acts(pause=0.5)})
    axes: Axes = space({"optim.lr": log_uniform(1e-3, 1e-2)})
    search: Search = Random(trials=3)
    launch: Launch = Slurm(nodes=2, hours=0.5, partition="low", parallel=1)
"""


@pytest.mark.usefixtures("held")
@pytest.mark.long
def test_a_search_asks_for_trials_of_two_nodes_and_one_that_is_preempted_goes_on(real: Project, slurm: Cluster):
    """The second node reads the point in the sweep's folder, before and after the job is started again."""
    real.write("sweeps/hunt.py", SEARCH)
    assert real.sweeps("submit", "hunt").startswith("queued 1 worker: ")
    saved(real, "outputs/sweeps/hunt", 1)
    first = real.only("hunt")
    preempt(slurm, "n2")
    assert real.until("hunt", lambda counts: "running" not in counts) == {"waiting": 1}
    assert real.only("hunt")["reason"] == "preempted"
    real.hold.unlink()
    slurm.start_requeued(first["job"])
    assert finished(real, "hunt") == {"done": 3}
    trials = real.trials("hunt")
    assert {each["job"] for each in trials} == {first["job"]}
    begun = {each["id"]: (real.folder / each["folder"] / "log.txt").read_text() for each in trials}
    again = {name: text.count("goes on after step ") for name, text in begun.items()}
    assert again == {each["id"]: int(each["id"] == first["id"]) for each in trials}
    for trial in trials:
        summary = json.loads((real.folder / trial["folder"] / "summary.json").read_text())
        assert (summary["processes"], summary["step"]) == (2, 40)
        assert (real.folder / trial["folder"] / "rank1.txt").exists()
    assert undisturbed(real, first, "outputs/whole") == "last.pt []\nbest.pt []\n"
