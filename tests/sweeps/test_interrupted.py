"""Trials that SLURM interrupts: they save, wait, and go on where they were; or end with a reason."""

from __future__ import annotations

import json
import os
import shlex
import signal
import time
from collections.abc import Sequence
from typing import Any

import pytest

from tests.sweeps.cluster import Cluster
from tests.sweeps.project import COMPARE, Project, words
from tests.sweeps.settings import CPUS

pytestmark = pytest.mark.usefixtures("held")

HOLDS = "act='hold', at=3, steps=8"


def on(node: str, **fields: object) -> Sequence[str]:
    """The words that send trials to one node."""
    return [*words("slurm", **fields), f"launch.sbatch={{nodelist:{node}}}"]


def preempt(slurm: Cluster, *nodes: str, command: str = "true") -> list[str]:
    """All jobs of these nodes that use a GPU, by jobs of which the numbers are returned."""
    taking = ["--partition=high", "--gres=gpu:4", "--output=/dev/null"]
    return [slurm.sbatch(command, *taking, f"--nodelist={node}") for node in nodes]


def start_waiting(project: Project, slurm: Cluster, *folders: str) -> None:
    """Start at once what waits for its requeue."""
    for folder in folders:
        for trial in project.trials(folder):
            if trial["state"] == "waiting":
                slurm.start_requeued(trial["job"])


def left_in_queue(slurm: Cluster, states: dict[str, str]) -> None:
    """And nothing else, once what is over has left its node."""
    end = time.monotonic() + 600
    while (found := slurm.squeue()) != states:
        assert time.monotonic() < end, found
        time.sleep(0.2)


def went_on(project: Project, trial: dict[str, Any], at: int = 4) -> None:
    """It was interrupted once, after that step, and no step of it is lost or was run twice."""
    assert (trial["state"], trial["attempt"], trial["status"], trial["reason"]) == ("done", 2, 0, None)
    first, again, _ = project.begun(trial)
    assert (first["step"], again["step"], again["alive"]) == (0, at, [])
    assert project.steps(trial) == list(range(1, 9))


def test_a_preempted_trial_goes_on_where_it_was(project: Project, slurm: Cluster):
    name = project.sweep("counted", "seeds(1)", base=HOLDS)
    folders = ["outputs/low", "outputs/patient"]
    for node, folder in zip(("n1", "n2"), folders, strict=True):
        partition = folder.removeprefix("outputs/")
        project.sweeps("submit", name, f"folder={folder}", *on(node, gpus=1, partition=partition))
    for folder in folders:
        project.until_saved(folder, [3])
    preempt(slurm, "n1", "n2")
    for folder in folders:
        project.until(folder, lambda counts: counts == {"waiting": 1})
        assert project.table(folder) == (
            "trial       state    step  validation/accuracy  time     what, why\n"
            "ID________  waiting  4/?   0.5                  TIME___  seed=0: preempted\n"
            "\n"
            "1 waiting\n"
        )
    start_waiting(project, slurm, *folders)
    for folder in folders:
        assert project.over(folder) == {"done": 1}
        went_on(project, project.only(folder))


SLOW = """
from __future__ import annotations

from runs.callbacks import Callback


class Slow(Callback):
    def build(self):
        import os, time
        from runs.callbacks._hooks import Hooks

        class Sleeps(Hooks):
            def on_step(self, training):
                if os.path.exists("outputs/hold"):
                    time.sleep(1)

        return Sleeps()
"""


def test_a_real_run_ends_bit_for_bit_as_if_it_had_not_been_preempted(
    real: Project, slurm: Cluster, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    real.write("runs/callbacks/slow.py", SLOW)
    base = "model=Mlp(hidden_sizes=(8,)), callbacks={'slow': Slow()}, steps=200, save_every=1, log_every=7"
    name = real.sweep("real", "seeds(1)", base=base)
    sweep = (real.folder / f"sweeps/{name}.py").read_text()
    real.write(f"sweeps/{name}.py", f"from models.mlp import Mlp\nfrom runs.callbacks.slow import Slow\n{sweep}")
    real.sweeps("submit", name, *on("n1", gpus=1))
    folder = real.folder / "outputs/sweeps/real"
    real.wait("outputs/sweeps/real", lambda _: bool(list(folder.glob("trials/*/*/last.pt"))))
    preempt(slurm, "n1")
    real.until(name, lambda counts: counts == {"waiting": 1})
    real.hold.unlink()
    start_waiting(real, slurm, name)
    assert real.over(name) == {"done": 1}
    trial = real.only(name)
    assert trial["attempt"] == 2
    last = real.folder / trial["folder"]
    assert (last / "log.txt").read_text().count("stopped by SIGTERM after step ") == 1
    python, *command = shlex.split((last / "command.txt").read_text())
    assert python == "python"
    real.type(*command, "folder=outputs/whole")
    whole = real.folder / "outputs/whole"
    assert real.type(COMPARE, str(last), str(whole)) == "last.pt []\nbest.pt []\n"
    assert (last / "metrics.jsonl").read_text() == (whole / "metrics.jsonl").read_text()
    ours, theirs = (json.loads((each / "summary.json").read_text()) for each in (last, whole))
    differ = {key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)}
    assert differ == {"seconds", "command"}


def test_at_its_time_limit_a_trial_goes_on_in_another_job_unless_that_would_be_for_ever(
    project: Project, slurm: Cluster
):
    short = words("slurm", gpus=0, hours=0.0333)  # two minutes: warned after 60 to 90 s
    two = "points([{'act': 'hold', 'at': 3}, {'act': 'heedless', 'at': 0}])"
    limited = project.sweep("limited", two, base="steps=8")
    turns = project.sweep("turns", "points([{'value': 0.1}, {'act': 'heedless'}])", base="steps=8")
    hung = project.sweep("hung", "seeds(1)", base="act='hang', at=3, steps=8")
    project.sweeps("submit", limited, *short)
    project.sweeps("submit", turns, *short, "launch.pack=2", "launch.in_turn=true")
    project.sweeps("submit", hung, *words("slurm", gpus=1))
    project.until_saved("outputs/sweeps/hung", [3])
    slurm.expire(project.only(hung)["job"])  # it does not end when it is asked to

    project.until(limited, lambda counts: counts == {"failed": 1, "waiting": 1})
    why = "its time limit ended it before it had saved anything to go on from"
    assert project.table(limited) == (
        "trial       state    step  validation/accuracy  time     what, why\n"
        "ID________  waiting  4/?   0.5                  TIME___  act=hold at=3: time limit\n"
        f"ID________  failed                              TIME___  act=heedless at=0: {why}\n"
        "\n"
        "1 failed, 1 waiting\n"
        "\n"
        f"the last lines of ID________, which failed: {why}\n"
        "  begins after step 0 sees None\n"
        "  is about to heedless\n"
    )
    # one that began when another one of its job was over has not had all of its time
    project.until(turns, lambda counts: counts == {"done": 1, "waiting": 1})
    assert project.over(hung) == {"failed": 1}
    assert project.only(hung)["reason"] == "time limit: raise launch.hours"

    both = [*project.trials(limited), *project.trials(turns)]
    waits = {trial["job"] for trial in both if trial["state"] == "waiting"}
    left_in_queue(slurm, dict.fromkeys(waits, "PENDING"))
    start_waiting(project, slurm, limited)
    assert project.over(limited) == {"failed": 1, "done": 1}
    went_on(project, next(trial for trial in project.trials(limited) if trial["state"] == "done"))


@pytest.mark.parametrize("how", ["cancel", "scancel"])
def test_what_is_cancelled_stays_so_until_it_is_retried(project: Project, slurm: Cluster, how: str):
    """One trial that runs, one that waits for its requeue, and one that has not begun."""
    name = project.sweep("three", "seeds(3)", base=HOLDS)
    project.sweeps("submit", name, *words("slurm", cpus=CPUS))
    project.until_saved("outputs/sweeps/three", [3, 3])
    (high,) = preempt(slurm, "n2", command="sleep 600")
    project.until(name, lambda counts: counts == {"running": 1, "waiting": 1, "queued": 1})
    if how == "cancel":
        again = f"python -m sweeps retry three launch=slurm launch.cpus={CPUS}\n"
        assert project.sweeps("cancel", name) == f"cancelled 3 trials; to go on with them: {again}"
    else:
        slurm.run("scancel", *{trial["job"].partition("_")[0] for trial in project.trials(name) if trial["job"]})
    project.until(name, lambda counts: counts == {"cancelled": 3})
    assert project.table(name) == (
        "trial       state      step  validation/accuracy  time     what, why\n"
        "ID________  cancelled                             TIME___  seed=0: cancelled\n"
        "ID________  cancelled                             TIME___  seed=1: cancelled\n"
        "ID________  cancelled                                      seed=2: cancelled\n"
        "\n"
        "3 cancelled\n"
    )
    left_in_queue(slurm, {high: "RUNNING"})  # so that nothing of it can be started again
    assert project.saved("outputs/sweeps/three") == [4, 4]
    slurm.run("scancel", high)
    project.hold.unlink()
    project.sweeps("retry", name)
    assert project.over(name) == {"done": 3}
    trials = sorted(project.trials(name), key=lambda trial: trial["words"])
    for trial in trials[:2]:
        went_on(project, trial)
    assert (trials[2]["attempt"], project.steps(trials[2])) == (1, list(range(1, 9)))


def test_what_is_cancelled_while_it_still_saves_is_not_requeued(project: Project, slurm: Cluster):
    name = project.sweep("saving", "seeds(1)", base="act='stubborn', at=3, steps=8")
    project.sweeps("submit", name, *words("slurm", gpus=1))
    project.until_saved("outputs/sweeps/saving", [3])
    slurm.run("scancel", "--signal=USR2", project.only(name)["job"])  # as SLURM does before the time limit
    time.sleep(1)
    assert project.sweeps("cancel", name).startswith("cancelled 1 trial; ")
    project.hold.unlink()
    assert project.over(name) == {"cancelled": 1}
    left_in_queue(slurm, {})
    project.sweeps("retry", name)
    assert project.over(name) == {"done": 1}
    went_on(project, project.only(name))


def test_a_whole_array_that_is_cancelled_before_it_begins_is_told_so(project: Project, each_slurm: Cluster):
    name = project.sweep("early", "seeds(3)")
    later = [*words("slurm", gpus=0), "launch.sbatch={begin:now+1hour}"]
    (number,) = project.asked("submit", name, *later)["batches"].values()
    each_slurm.run("scancel", number)
    assert project.over(name) == {"cancelled": 3}
    # by whom, the database of accounting says a little later
    assert {trial["reason"] for trial in project.trials(name)} <= {"cancelled", "cancelled by root"}


def test_a_trial_that_hears_of_its_end_before_its_job_does_is_not_failed(project: Project):
    """SLURM may signal all processes of a job, in any order."""
    lead = (project.folder / "cn/sweeping/job/supervisor.py").read_text()
    project.write("cn/sweeping/job/supervisor.py", lead.replace("LATE = 2.0", "LATE = 600.0"))
    name = project.sweep("early", "seeds(1)", base=HOLDS)
    project.sweeps("submit", name)
    project.until_saved("outputs/sweeps/early", [3])
    pid = project.begun(project.only(name))[0]["pid"]
    job = int(project.only(name)["job"])
    os.kill(pid, signal.SIGTERM)
    time.sleep(0.3)  # most likely its end is known
    os.kill(job, signal.SIGTERM)
    assert project.over(name) == {"cancelled": 1}
    project.sweeps("retry", name)
    assert project.over(name) == {"done": 1}
    went_on(project, project.only(name))
