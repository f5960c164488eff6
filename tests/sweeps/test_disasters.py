"""Broken jobs, nodes, controllers and disks: what is lost is told, what is not goes on, and nothing runs twice."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sweeps.cluster import Cluster
from tests.sweeps.project import Project, masked, words
from tests.sweeps.settings import CPUS, ENFORCED_MEMORY

pytestmark = pytest.mark.usefixtures("held")

HOLDS = "act='hold', at=3, steps=8"
AWAY = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n  try again\n"


@pytest.fixture
def disk(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Makes outputs/sweeps a disk of its own, or changes that: disk(size="2m"), disk("ro")."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # it is full at the same place each time
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    at = project.folder / "outputs" / "sweeps"
    at.mkdir()

    def mount(*options: str, **values: str) -> None:
        told = ",".join([*options, *(f"{name}={value}" for name, value in values.items())])
        again = "remount," if os.path.ismount(at) else ""
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", again + told, "none", at], capture_output=True, text=True)
        if done.returncode and not again:
            pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
        assert not done.returncode, done.stderr

    yield mount
    project.end()
    subprocess.run(["umount", "-l", at], check=True)


def supervisor(pid: int) -> int:
    """The process that started a trial's."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def went_on(project: Project, trial: dict[str, Any], *, again: tuple[int, ...] = (), elsewhere: bool = False) -> None:
    """In a second attempt after step 3, when nothing of the first was left; no step is lost, and these are repeated."""
    assert (trial["state"], trial["attempt"], trial["reason"]) == ("done", 2, None)
    first, second, _ = project.begun(trial)
    assert (first["step"], second["step"], second["alive"]) == (0, 3, [])
    assert not elsewhere or first["node"] != second["node"]
    assert project.steps(trial) == sorted([*range(1, 9), *again])


def test_why_a_job_was_killed_is_told_and_its_trial_goes_on_from_its_last_step(project: Project, each_slurm: Cluster):
    """kill -9 of a trial, of all of a job, and of a job that takes too much memory."""
    with each_slurm.configured(**ENFORCED_MEMORY):
        ways = "points([{'act': 'memory'}, {'act': 'hold'}, {'act': 'stubborn'}])"
        name = project.sweep("ways", ways, base="at=3, steps=8")
        project.sweeps("submit", name, *words("slurm", gpus=1, memory=1))
        project.until_saved("outputs/sweeps/ways", [3, 3, 3])
        pids = {trial["words"][0]: project.begun(trial)[0]["pid"] for trial in project.trials(name)}
        for pid in (supervisor(pids["act=hold"]), pids["act=hold"], pids["act=stubborn"]):
            os.kill(pid, signal.SIGKILL)
        assert project.over(name) == {"failed": 3}
    trials = {trial["words"][0]: trial for trial in project.trials(name)}
    assert {way: trial["reason"] for way, trial in trials.items()} == {
        "act=memory": "killed by SIGKILL",
        "act=hold": "killed by SIGKILL",
        "act=stubborn": "killed by SIGKILL, as the kernel does where memory runs out",
    }
    for way, trial in trials.items():
        assert trial["log"] == [trial["log"][0], f"is about to {way[4:]}"]
        assert trial["log"][0].startswith("begins after step 0 sees ")
    said = project.sweeps("logs", name, trials["act=memory"]["id"])
    assert "slurmstepd-n1: error: Exceeded job memory limit\n" in said
    project.hold.unlink()
    project.sweeps("retry", name, trials["act=hold"]["id"], trials["act=stubborn"]["id"])
    assert project.over(name) == {"failed": 1, "done": 2}
    for trial in project.trials(name):
        if trial["state"] == "done":
            went_on(project, trial)


def test_the_trials_of_a_lost_node_go_on_and_never_twice_at_once(project: Project, slurm: Cluster):
    lost = project.sweep("lost", "seeds(1)", base="act='stubborn', at=3, steps=8")
    project.sweeps("submit", lost, *words("slurm"))
    project.until_saved("outputs/sweeps/lost", [3])
    trial = project.only(lost)
    first = project.begun(trial)[0]
    # its job is given back at once, though SLURM needs some seconds to end its processes
    slurm.down(first["node"])
    project.wait_for(lambda: slurm.show(trial["job"])["Reason"] == "BeginTime", pause=0.02)
    slurm.run("scontrol", "update", f"JobId={trial['job']}", "StartTime=now")
    slurm.wait(trial["job"], "RUNNING")
    assert Path(f"/proc/{first['pid']}").exists()
    begun = project.begun(trial)
    while Path(f"/proc/{first['pid']}").exists():
        assert len(begun) == 1  # read before the process was seen, since the next one begins as soon as it is gone
        time.sleep(0.1)
        begun = project.begun(trial)
    project.hold.unlink()
    assert project.over(lost) == {"done": 1}
    went_on(project, project.only(lost), elsewhere=True)

    project.hold.touch()
    slurm.resume(first["node"])
    crashed = project.sweep("crashed", "seeds(1)", base="act='stubborn', at=3, steps=8")
    project.sweeps("submit", crashed, *words("slurm"))
    project.until_saved("outputs/sweeps/crashed", [3])
    trial = project.only(crashed)
    slurm.reboot(project.begun(trial)[0]["node"])
    project.until(crashed, lambda counts: "running" not in counts)
    assert project.table(crashed) == (
        "trial       state    step  validation/accuracy  time     what, why\n"
        "ID________  waiting  3/?   0.375                TIME___  seed=0: its node was lost\n"
        "\n"
        "1 waiting\n"
    )
    project.hold.unlink()
    slurm.start_requeued(trial["job"])
    assert project.over(crashed) == {"done": 1}
    went_on(project, project.only(crashed), elsewhere=True)


def test_while_the_controller_is_away_nothing_is_lost(project: Project, slurm: Cluster):
    failed = project.sweep("failed", "seeds(2)", base="act='exit', at=3, steps=8")
    away = project.sweep("away", "seeds(3)", base=HOLDS)
    with slurm.configured(MessageTimeout=2):  # else each verb asks again for longer
        project.sweeps("submit", failed, *words("slurm", gpus=0))
        project.sweeps("submit", away, *words("slurm", cpus=CPUS))
        project.until_saved("outputs/sweeps/away", [3, 3])
        assert project.over(failed) == {"failed": 2}
        slurm.stop_controller()
        typed = {
            "status": ["status", away],
            "submit": ["submit", away, *words("slurm", cpus=CPUS)],
            "retry": ["retry", failed, *words("slurm", gpus=0)],
            "new": ["submit", away, "folder=outputs/new", *words("slurm", cpus=CPUS)],
        }
        started = {verb: project.start("-m", "sweeps", *words) for verb, words in typed.items()}
        said = {verb: (*process.communicate(), process.returncode) for verb, process in started.items()}
        cancelled = project.start("-m", "sweeps", "cancel", away)
        said["cancel"] = (*cancelled.communicate(), cancelled.returncode)
        project.hold.unlink()
        project.wait("outputs/sweeps/away", lambda reports: [each["state"] for each in reports] == ["done"] * 2)
        slurm.start_controller()
    table, _, more = said["status"][0].partition("\n\n")
    assert [line.split()[1] for line in table.splitlines()[2:]] == ["running", "running", "queued"]
    silent = f"as far as the files tell, since the queue does not answer: squeue failed: {AWAY}"
    assert more == f"2 running, 1 queued\n{silent}"
    assert said["cancel"] == ("", f"squeue failed: {AWAY}", 1)
    assert said["submit"] == ("", f"squeue failed: {AWAY}", 1)
    assert said["retry"] == said["new"] == ("", f"scontrol failed: {AWAY.replace('jobs', 'ctl_conf')}", 1)
    assert project.states(failed) == {"failed": 2}
    assert project.states("outputs/new") == {}
    assert project.over(away) == {"done": 3}  # SLURM may be slow to learn that nodes are free again
    assert [trial["attempt"] for trial in project.trials(away)] == [1, 1, 1]


def test_a_preemption_while_the_controller_is_restarted(project: Project, slurm: Cluster):
    name = project.sweep("kept", "seeds(2)", base=HOLDS)
    project.sweeps("submit", name, *words("slurm", cpus=CPUS, partition="patient"))
    project.until_saved("outputs/sweeps/kept", [3, 3])
    high = slurm.sbatch("true", "--partition=high", "--gres=gpu:4", "--nodes=2", "--output=/dev/null")
    jobs = [trial["job"] for trial in project.trials(name)]
    project.wait_for(lambda: all(slurm.show(job).get("PreemptTime") != "None" for job in jobs), pause=0.02)
    slurm.stop_controller()
    time.sleep(3)  # in which the jobs ask why they are to end
    slurm.start_controller()
    assert project.until(name, lambda counts: "running" not in counts) == {"waiting": 2}
    slurm.wait(high, "COMPLETED")
    for job in jobs:
        slurm.start_requeued(job)
    assert project.over(name) == {"done": 2}
    assert [(trial["attempt"], project.steps(trial)) for trial in project.trials(name)] == [(2, [*range(1, 9)])] * 2


def test_queued_trials_run_the_code_as_it_was_when_they_were_submitted(project: Project, slurm: Cluster):
    door = (project.folder / "train.py").read_text()
    project.write("extra.py", "MORE = 0.25  # not known to git\n")
    door = door.replace("value = run.value\n", "value = run.value + extra.MORE\n")
    project.write("train.py", door.replace("import json\n", "import json\n\nimport extra\n"))
    name = project.sweep("edited", "seeds(3)", base=HOLDS)
    project.sweeps("submit", name, *words("slurm", cpus=CPUS))
    project.until_saved("outputs/sweeps/edited", [3, 3])
    project.write("extra.py", "MORE = 0.5\n")
    project.sweep(name, "seeds(4)", base=HOLDS)
    project.sweeps("submit", name, *words("slurm", cpus=CPUS))
    project.hold.unlink()
    assert project.over(name) == {"done": 4}
    reports = {report["value"]: report["code"] for report in project.reports("outputs/sweeps/edited")}
    old, new = reports[0.75], reports[1.0]
    codes = {trial["words"][0]: trial["code"] for trial in project.trials(name)}
    assert codes == {"seed=0": old, "seed=1": old, "seed=2": old, "seed=3": new}
    assert len({old, new}) == 2
    header, *rows = project.table(name).splitlines()[:5]
    assert header == "trial       state  step  validation/accuracy  time     code        what, why"
    assert {len(row.split()) for row in rows} == {7}
    assert {path.name[:10] for path in (project.folder / "outputs/sweeps/edited/code").glob("[!.]*")} == {old, new}


def test_a_job_that_imports_other_code_than_was_submitted_refuses_to_run(project: Project, slurm: Cluster):
    name = project.sweep("elsewhere", "seeds(2)")
    project.sweeps("submit", name, *words("slurm", gpus=0), f"launch.container='env PYTHONPATH={project.folder}'")
    assert project.over(name) == {"failed": 2}
    (code,) = (project.folder / "outputs/sweeps/elsewhere/code").glob("[!.]*")
    told = f"this process does not run the code that was submitted, {code}"
    assert [trial["reason"] for trial in project.trials(name)] == [told, told]
    assert f"{told}\n  it imported cn from {project.folder}/cn/__init__.py, cn.after_import from " in project.sweeps(
        "logs", name
    )
    project.sweeps("retry", name, *words("slurm", gpus=0))
    assert project.over(name) == {"done": 2}


def test_a_submission_on_a_full_disk_is_refused_and_taken_when_there_is_room(
    project: Project, slurm: Cluster, disk: Callable[..., None]
):
    name = project.sweep("full", "seeds(3)")
    typed = [name, *words("slurm", gpus=0), "launch.sbatch={begin:now+1hour}"]
    project.sweeps("submit", *typed, "folder=outputs/roomy")  # elsewhere, to know how much there is to write
    files = [path for path in (project.folder / "outputs/roomy/code").rglob("*") if path.is_file()]
    needed = sum(-(-path.stat().st_size // 4096) * 4 for path in files)

    folder = project.folder / "outputs/sweeps/full"
    refused: list[str] = []
    out = ""
    for size in (4, *(size for size in range(needed, needed + 80, 4) for _ in range(2))):
        disk(size=f"{size}k")
        process = project.start("-m", "sweeps", "submit", *typed)
        out, error = process.communicate()
        if process.returncode == 0:
            break
        assert (out, process.returncode) == ("", 1)
        assert len(list(folder.glob("jobs/*.jsonl"))) == (len(slurm.squeue()) - 3) / 3
        refused.append(error)
    more = "No space left on device\n  to put the sweep elsewhere: folder=PATH\n"
    assert list(dict.fromkeys(refused)) == [
        f"cannot copy the code to outputs/sweeps/full/code: {more}",
        f"cannot write to outputs/sweeps/full: {more}",
    ]
    # the last of these said so of the number that SLURM gave to the jobs
    assert masked(out) == "nothing new to queue (3 queued)\n  see: python -m sweeps status full\n"
    assert len(slurm.squeue()) == 6
    assert [path.suffix for path in sorted(folder.glob("jobs/*"))] == ["", ".id", ".jsonl"]


@pytest.mark.parametrize("place", ["local", "slurm"])
def test_trials_on_a_full_disk_fail_with_the_reason_and_go_on_when_there_is_room(
    project: Project, request: pytest.FixtureRequest, place: str, disk: Callable[..., None]
):
    if place == "slurm":
        request.getfixturevalue(place)
    disk(size="8m")  # of which two copies of the code take 4
    where = words("slurm", gpus=1, parallel=2) if place == "slurm" else words("local", parallel=2)
    name = project.sweep("filled", "points([{'act': 'hold'}, {'value': 0.9}])", base="at=3, steps=8")
    project.sweeps("submit", name, *where)
    project.until_saved("outputs/sweeps/filled", [3, 8])
    project.until(name, lambda counts: counts == {"running": 1, "done": 1})
    project.sweep(name, "points([{'act': 'hold'}, {'value': 0.9}, {'act': 'fill'}])", base="at=3, steps=8")
    project.sweeps("submit", name, *where[:-1], "launch.parallel=4")
    project.until(name, lambda counts: counts == {"failed": 1, "running": 1, "done": 1})
    project.hold.unlink()
    assert project.over(name) == {"failed": 2, "done": 1}
    why = "OSError: [Errno 28] No space left on device"
    assert project.table(name).startswith(
        "trial       state   step  validation/accuracy  time     what, why\n"
        f"ID________  failed                             TIME___  act=hold: {why}\n"
        "ID________  done    8/8   0.9                  TIME___  value=0.9\n"
        f"ID________  failed                             TIME___  act=fill: {why}\n"
    )
    trials = {trial["words"][0]: trial for trial in project.trials(name)}
    (project.folder / trials["act=fill"]["folder"] / "output.txt").unlink()
    project.sweeps("retry", name, trials["act=hold"]["id"])
    assert project.over(name) == {"failed": 1, "done": 2}
    trials = {trial["words"][0]: trial for trial in project.trials(name)}
    went_on(project, trials["act=hold"], again=(4,))  # the step that could not be saved

    disk("ro")
    for verb in ("plan", "status", "logs", "best"):
        project.sweeps(verb, name)
    told = "cannot write to outputs/sweeps/filled: Read-only file system\n  to put the sweep elsewhere: folder=PATH\n"
    for verb in ("submit", "retry", "cancel"):
        assert project.sweeps(verb, name, status=1) == told
    said = project.sweeps("results", name, status=1)
    assert said.startswith("value ")
    assert "\ncannot write outputs/sweeps/filled/results.csv and outputs/sweeps/filled/results.png: Read-only" in said


def test_a_process_that_a_trial_started_is_killed(project: Project):
    project.write(
        "train.py",
        "import os, signal\n"
        "from concurrent.futures import ProcessPoolExecutor\n\n\n"
        "def die():\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n\n\n"
        "def train(run, job):\n"
        "    with ProcessPoolExecutor(1) as pool:\n"
        "        pool.submit(die).result()\n",
    )
    name = project.sweep("pool", "seeds(1)")
    project.sweeps("submit", name)
    assert project.over(name) == {"failed": 1}
    assert project.only(name)["reason"] == (
        "concurrent.futures.process.BrokenProcessPool: "
        "A process in the process pool was terminated abruptly while the future was running or pending."
    )
