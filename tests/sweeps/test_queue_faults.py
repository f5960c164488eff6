"""A queue that answers wrongly, late or not at all: no job is queued twice, lost or left to itself."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.sweeps.cluster import Cluster
from tests.sweeps.project import Project, words

TIMED_OUT = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
FAILS = f"echo '{TIMED_OUT}' >&2; exit 1"
AWAY = "echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1"
SAID = "sbatch failed: Socket timed out on send/recv operation"


def path(folder: Path, **commands: str) -> str:
    """A PATH on which these commands are scripts; REAL in one is the true command with what was typed."""
    folder.mkdir()
    for name, text in commands.items():
        (folder / name).write_text("#!/bin/bash\n" + text.replace("REAL", f'{shutil.which(name)} "$@"') + "\n")
        (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def late(folder: Path) -> str:
    """A PATH on which sbatch fails, and queues what it has read once `come` is called."""
    real = shutil.which("sbatch")
    waits = f"while [ ! -e {folder}/comes ]; do sleep 0.05; done"
    then = f"({waits}; {real} {folder}/script; touch {folder}/came) &>/dev/null </dev/null &"
    return path(folder / "bin", sbatch=f'cp "${{@: -1}}" {folder}/script\n{then}\n{FAILS}')


def come(project: Project, folder: Path) -> None:
    """Let the jobs come that sbatch had said it has not taken."""
    (folder / "comes").touch()
    project.wait_for((folder / "came").exists)


@pytest.fixture
def held(project: Project) -> str:
    """The name of a sweep of four trials which wait while outputs/hold is there."""
    project.hold.parent.mkdir()
    project.hold.touch()
    return project.sweep("four", "seeds(4)", base="act='hold', at=1, steps=2")


def test_jobs_that_sbatch_has_queued_and_says_it_has_not_are_the_sweeps(
    project: Project, slurm: Cluster, tmp_path: Path, held: str
):
    place = words("slurm", gpus=1)
    said = project.type(
        "-m", "sweeps", "submit", held, *place, PATH=path(tmp_path / "bin", sbatch=f"REAL >/dev/null; {FAILS}")
    )
    assert re.match(r"queued 4 trials: \d+\n", said)
    assert len(slurm.tasks()) == 4
    assert re.match(
        r"nothing new to queue \((4 queued|4 running|\d running, \d queued)\)\n", project.sweeps("submit", held, *place)
    )
    assert len(slurm.tasks()) == 4
    project.hold.unlink()
    assert project.over(held) == {"done": 4}


def test_a_refusal_tells_of_the_jobs_that_were_queued_before(project: Project, slurm: Cluster, tmp_path: Path):
    policy = "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy"
    once = f"if [ -e {tmp_path}/once ]; then echo '{policy}' >&2; exit 1; fi; touch {tmp_path}/once; REAL"
    two = "REAL | sed 's/MaxArraySize .*/MaxArraySize = 2/'"
    odd = path(tmp_path / "bin", sbatch=once, scontrol=two)
    later = [*words("slurm", gpus=0), "launch.sbatch={begin:now+1hour}"]
    said = project.type("train.py", "run=told", "-m", "seed=range(3)", *later, status=2, PATH=odd)
    (folder,) = (each.parent for each in (project.folder / "outputs").glob("*/jobs"))
    number = slurm.tasks()[0].partition("_")[0]
    assert said.splitlines()[0] == "SLURM did not take the jobs: Job violates accounting/QOS policy"
    see = f"python -m sweeps status outputs/{folder.name}"
    assert said.splitlines()[2] == f"  others were queued before: {number}: {see}"
    project.sweeps("cancel", f"outputs/{folder.name}")


def test_where_the_queue_does_not_say_whether_it_has_them_the_next_verb_asks_again(
    project: Project, slurm: Cluster, tmp_path: Path, held: str
):
    place = words("slurm", gpus=1)
    folder = "outputs/sweeps/four"
    faulty = path(tmp_path / "bin", sbatch=f"REAL >/dev/null; {FAILS}", squeue=AWAY)
    said = project.type("-m", "sweeps", "submit", held, *place, status=1, PATH=faulty)
    assert said == (
        f"{SAID}\n"
        "  nor does it say whether it has them: "
        "squeue failed: slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n"
        f"  what it has of them: python -m sweeps status {folder}\n"
    )
    assert sum(project.states(held).values()) == 4
    assert project.states(held).keys() <= {"queued", "running"}
    assert re.match(
        r"nothing new to queue \((4 queued|4 running|\d running, \d queued)\)\n", project.sweeps("submit", held, *place)
    )
    assert len(slurm.tasks()) == 4
    again = "python -m sweeps retry four launch=slurm launch.gpus=1"
    assert project.sweeps("cancel", held) == f"cancelled 4 trials; to go on with them: {again}\n"
    project.wait_for(lambda: not slurm.tasks())
    assert project.over(held) == {"cancelled": 4}


def test_jobs_that_come_after_they_were_given_up_are_told_and_cancelled(
    project: Project, slurm: Cluster, tmp_path: Path, held: str
):
    place = words("slurm", gpus=1)
    options = [*place, "launch.sbatch={begin:now+1hour}"]
    said = project.type("-m", "sweeps", "submit", held, *options, status=1, PATH=late(tmp_path))
    assert said == f"{SAID}\n  try again\n"
    come(project, tmp_path)
    number = slurm.tasks()[0].partition("_")[0]
    assert project.sweeps("status", held) == (
        "nothing of four was submitted\n"
        "  write: python -m sweeps submit four\n"
        f"in the queue, though no file tells of it: {number}\n"
        "  to end it: python -m sweeps cancel four\n"
    )
    assert project.asked("status", held)["unknown"] == [number]
    assert re.match(r"queued 4 trials: \d+\n", project.sweeps("submit", held, *place))
    assert sorted(project.asked("cancel", held)["unknown"]) == [number]
    project.wait_for(lambda: not slurm.tasks())
    project.sweeps("retry", held)
    project.hold.unlink()
    assert project.over(held) == {"done": 4}


def test_a_job_that_is_started_though_it_was_given_up_trains_nothing(
    project: Project, slurm: Cluster, tmp_path: Path, held: str
):
    project.type("-m", "sweeps", "submit", held, *words("slurm", gpus=1), status=1, PATH=late(tmp_path))
    come(project, tmp_path)
    project.wait_for(lambda: not slurm.tasks())
    assert not (project.folder / "outputs/sweeps/four/trials").exists()


@pytest.mark.parametrize("folder", ["outputs/a%a", "outputs/%j_%x", "outputs/100 %%"])
def test_a_folder_may_have_the_letters_of_sbatchs_patterns(project: Project, slurm: Cluster, folder: str):
    name = project.sweep("patterns", "seeds(2)")
    typed = f"folder='{folder}'"
    project.sweeps("submit", name, typed, *words("slurm", gpus=1))
    assert project.over(name, typed) == {"done": 2}
    assert {each.name for each in (project.folder / "outputs").iterdir()} == {Path(folder).name}
    assert len(list((project.folder / folder / "jobs").glob("*/[01].out"))) == 2


def test_a_folder_with_a_backslash_is_refused_before_anything_is_queued(project: Project, slurm: Cluster):
    name = project.sweep("patterns", "seeds(2)")
    typed = r"folder='outputs/a\%a'"
    said = project.sweeps("submit", name, typed, *words("slurm", gpus=1), status=2)
    batch = f"{project.folder}/outputs/a\\%a/jobs/0001"
    assert re.sub(r"\d{4}-\w{4}", "0001", said) == (
        f"SLURM cannot print to a path with a backslash: {batch}\n  another: folder=PATH\n"
    )
    assert slurm.tasks() == []
    assert project.states(name, typed) == {}


def test_where_one_of_slurms_commands_is_missing_it_is_said_which(project: Project, tmp_path: Path):
    (tmp_path / "bin").mkdir()
    for name in ("sbatch", "squeue", "scontrol", "scancel"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\nexit 3\n")
        (tmp_path / "bin" / name).chmod(0o755)
    name = project.sweep("lacking", "seeds(2)")
    said = project.type("-m", "sweeps", "submit", name, *words("slurm"), status=2, PATH=f"{tmp_path}/bin")
    assert said == (
        f"srun is not on PATH, though {tmp_path}/bin/sbatch is there: "
        "a sweep needs sbatch, srun, squeue, scontrol, scancel\n"
        f"  to see what is there: ls {tmp_path}/bin\n"
        "  to run on this machine: launch=local\n"
    )
    assert project.states(name) == {}


# commands that hang

LENGTH = 10_000_000 + os.getpid()  # s, by which these sleeps are known from those of another test
HANGS = f"sleep {LENGTH} & sleep {LENGTH}"
LONGER = "  to wait longer: export CN_SLURM_SECONDS=240\n"


def hanging() -> list[int]:
    """The processes of HANGS."""
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if entry.read_bytes() == f"sleep\0{LENGTH}\0".encode():
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


def test_a_squeue_that_hangs_is_killed_and_the_files_are_told(
    project: Project, slurm: Cluster, tmp_path: Path, held: str
):
    project.sweeps("submit", held, *words("slurm", gpus=1))
    project.until_saved("outputs/sweeps/four", [1, 1, 1, 1])
    faulty: Any = {"PATH": path(tmp_path / "bin", squeue=HANGS), "CN_SLURM_SECONDS": "1"}
    said = project.type("-m", "sweeps", "status", held, **faulty)
    assert said.endswith(
        "4 running\n"
        "as far as the files tell, since the queue does not answer: squeue has not answered in 1 s, and was killed\n"
        f"{LONGER}"
    )
    for verb in ("cancel", "retry", "submit"):
        told = project.type("-m", "sweeps", verb, held, status=1, **faulty)
        assert told == f"squeue has not answered in 1 s, and was killed\n{LONGER}"
    project.wait_for(lambda: hanging() == [])  # the kernel ends a process a little after it is killed
    project.hold.unlink()
    assert project.over(held) == {"done": 4}
    project.type("-m", "sweeps", "status", held, **faulty)


def test_why_jobs_ended_is_asked_once_and_not_known_where_slurm_hangs(
    project: Project, slurm: Cluster, tmp_path: Path, held: str
):
    project.sweeps("submit", held, *words("slurm", gpus=1))
    project.until_saved("outputs/sweeps/four", [1, 1, 1, 1])
    for array in {number.partition("_")[0] for number in slurm.tasks()}:
        slurm.run("scancel", "--signal=KILL", "--full", array)
    project.wait_for(lambda: not slurm.tasks())
    for report in (project.folder / "outputs/sweeps/four/trials").glob("*/*/trial.json"):
        text = report.read_text()  # its supervisor had no time to write any more
        report.write_text(re.sub(r'"state": "\w+"', '"state": "running"', text))
    note = f"echo $0 >> {tmp_path}/calls; {HANGS}"
    faulty: Any = {
        "PATH": path(tmp_path / "bin", scontrol=note, sacct=note),
        "CN_SLURM_SECONDS": "4",
    }  # in which squeue answers
    trials = project.type("-m", "sweeps", "status", held, **faulty)
    why = "its job ended, and why is not known: scontrol has not answered in 4 s, and was killed"
    assert trials.count(why) >= 4 or trials.count("why is not known") >= 4
    calls = [Path(line).name for line in (tmp_path / "calls").read_text().splitlines()]
    assert sorted(calls) == ["sacct", "scontrol"]
    project.wait_for(lambda: hanging() == [])  # the kernel ends a process a little after it is killed


def test_an_sbatch_that_hangs_is_killed_and_what_it_queued_is_the_sweeps(
    project: Project, slurm: Cluster, tmp_path: Path, held: str
):
    faulty: Any = {"PATH": path(tmp_path / "bin", sbatch=f"REAL; {HANGS}"), "CN_SLURM_SECONDS": "2.5"}
    said = project.type("-m", "sweeps", "submit", held, *words("slurm", gpus=1), **faulty)
    assert re.match(r"queued 4 trials: \d+\n", said)
    project.wait_for(lambda: hanging() == [])  # the kernel ends a process a little after it is killed
    assert len(slurm.tasks()) == 4
    project.hold.unlink()
    assert project.over(held) == {"done": 4}


def test_a_limit_that_is_none_is_refused(project: Project, slurm: Cluster, held: str):
    for told in ("soon", "0", "-1", "nan", "inf"):
        said = project.type("-m", "sweeps", "submit", held, *words("slurm"), status=2, CN_SLURM_SECONDS=told)
        what = f"CN_SLURM_SECONDS={told!r} is no number of seconds above 0"
        assert said == f"{what}\n  write: export CN_SLURM_SECONDS=60\n"


def test_ctrl_c_ends_the_wait_for_a_command(project: Project, slurm: Cluster, tmp_path: Path, held: str):
    project.sweeps("submit", held, *words("slurm", gpus=1))
    note = f"touch {tmp_path}/asked; {HANGS}"
    process = project.start("-m", "sweeps", "status", held, PATH=path(tmp_path / "bin", squeue=note))
    project.wait_for((tmp_path / "asked").exists)
    time.sleep(0.2)
    process.send_signal(2)
    said = process.communicate()
    assert (process.returncode, said) == (130, ("", ""))
    project.wait_for(lambda: hanging() == [])  # the kernel ends a process a little after it is killed


# jobs that are held


def test_a_job_that_is_held_is_told_with_how_it_is_released(project: Project, slurm: Cluster, held: str):
    name = project.sweep("two", "seeds(2)", base="act='hold', at=1, steps=2")
    project.sweeps("submit", name, *words("slurm", gpus=1))
    project.until_saved("outputs/sweeps/two", [1, 1])
    number = slurm.tasks()[0].partition("_")[0]
    slurm.run("scontrol", "requeuehold", f"{number}_0")
    project.until(name, lambda counts: counts == {"waiting": 1, "running": 1})

    def told() -> dict[str, str]:
        return {each["job"][-1]: each["reason"] for each in project.trials(name) if each["state"] == "waiting"}

    release = "scontrol release"
    project.wait_for(lambda: told().get("0") == f"held; to release it: {release} {number}_0", pause=0.3)
    slurm.run("scontrol", "release", f"{number}_0")
    slurm.start_requeued(f"{number}_0")
    project.hold.unlink()
    assert project.over(name) == {"done": 2}


def test_jobs_that_were_queued_to_be_held_say_so(project: Project, slurm: Cluster, held: str):
    project.sweeps("submit", held, *words("slurm", gpus=1), "launch.sbatch={hold: ''}")
    number = slurm.tasks()[0].partition("_")[0]
    reasons = [each["reason"] for each in project.trials(held)]
    assert reasons == [f"held; to release it: scontrol release {number}_{index}" for index in range(4)]
    slurm.run("scontrol", "update", f"jobid={number}", "priority=0")  # as an administrator does
    assert [each["reason"] for each in project.trials(held)] == [
        f"held by an administrator; ask to have released: {number}_{index}" for index in range(4)
    ]
    project.sweeps("cancel", held)


# what commands say that is no answer

ODD = {
    "a greeting": "echo 'Welcome to the cluster'; REAL",
    "the cluster's name": "echo 'CLUSTER: one'; REAL",
    "an empty line": "REAL; echo",
    "a job that is no array": "REAL; echo '77|N/A|PENDING|None|(null)'",
    "no jobs of hidden partitions, unless asked for all": "REAL | if [[ $* == *--all* ]]; then cat; else head -n 1; fi",
    "other comments": "REAL | sed '2,$s/|[^|]*$/|(null)/'",
}


@pytest.mark.parametrize("kind", ODD)
def test_jobs_are_known_whatever_else_squeue_says(
    project: Project, slurm: Cluster, tmp_path: Path, held: str, kind: str
):
    later = [*words("slurm", gpus=1), "launch.sbatch={begin:now+1hour}"]
    project.sweeps("submit", held, *later)
    odd: Any = {"PATH": path(tmp_path / "bin", squeue=ODD[kind])}
    assert "\n4 queued\n" in project.type("-m", "sweeps", "status", held, **odd)
    assert project.type("-m", "sweeps", "submit", held, *later, **odd).startswith("nothing new to queue (4 queued)\n")
    assert project.type("-m", "sweeps", "retry", held, *later, **odd).startswith("nothing to run again (4 queued)\n")
    assert len(slurm.tasks()) == 4
    assert project.type("-m", "sweeps", "cancel", held, **odd).startswith("cancelled 4 trials; ")
    project.wait_for(lambda: not slurm.tasks())


@pytest.mark.parametrize(("squeue", "said"), [("exit 0", "it says nothing"), ("echo hello", "hello")])
def test_a_squeue_that_lists_no_jobs_has_not_said_that_there_are_none(
    project: Project, slurm: Cluster, tmp_path: Path, held: str, squeue: str, said: str
):
    later = [*words("slurm", gpus=1), "launch.sbatch={begin:now+1hour}"]
    project.sweeps("submit", held, *later)
    odd: Any = {"PATH": path(tmp_path / "bin", squeue=squeue)}
    told = f"squeue does not list jobs: {said}\n  try again\n"
    status = project.type("-m", "sweeps", "status", held, **odd)
    assert status.endswith(f"4 queued\nas far as the files tell, since the queue does not answer: {told}")
    for verb in ("submit", "retry", "cancel"):
        assert project.type("-m", "sweeps", verb, held, status=1, PATH=odd["PATH"]) == told
    assert len(slurm.tasks()) == 4
    project.sweeps("cancel", held)


def test_a_job_that_squeue_hides_and_scontrol_knows_is_not_over(
    project: Project, slurm: Cluster, tmp_path: Path, held: str
):
    later = [*words("slurm", gpus=1), "launch.sbatch={begin:now+1hour}"]
    project.sweeps("submit", held, *later)
    number = slurm.tasks()[0].partition("_")[0]
    odd = path(tmp_path / "bin", squeue="REAL | head -n 1")
    told = f"squeue does not list {number}_0, of which scontrol says that it is PENDING\n  try again\n"
    assert project.type("-m", "sweeps", "status", held, PATH=odd).endswith(
        f"4 queued\nas far as the files tell, since the queue does not answer: {told}"
    )
    assert project.type("-m", "sweeps", "retry", held, *later, status=1, PATH=odd) == told
    assert len(slurm.tasks()) == 4
    project.sweeps("cancel", held)


@pytest.mark.parametrize("command", ["scontrol", "sacct"])
def test_what_says_nothing_of_why_jobs_ended_stops_no_verb(
    project: Project, slurm: Cluster, tmp_path: Path, held: str, command: str
):
    later = [*words("slurm", gpus=1), "launch.sbatch={begin:now+1hour}"]
    project.sweeps("submit", held, *later)
    slurm.run("scancel", slurm.tasks()[0].partition("_")[0])
    project.wait_for(lambda: not slurm.tasks())
    odd = path(tmp_path / "bin", **{command: "echo 'hello there'; echo; echo 'a|b'; echo '1|2|3|4|5'"})
    counts = json.loads(project.type("-m", "sweeps", "status", held, "--json", PATH=odd))["counts"]
    assert sum(counts.get(state, 0) for state in ("failed", "cancelled")) == 4
    assert project.type("-m", "sweeps", "cancel", held, PATH=odd) == "four has nothing in the queue\n"


def test_where_slurm_is_silent_what_runs_on_this_machine_is_cancelled_all_the_same(
    project: Project, slurm: Cluster, tmp_path: Path, held: str
):
    project.sweep("four", "seeds(2)", base="act='hold', at=1, steps=2")
    project.sweeps("submit", held, *words("slurm", gpus=1))
    project.sweep("four", "seeds(4)", base="act='hold', at=1, steps=2")
    project.sweeps("submit", held, *words("local", parallel=4))
    project.until_saved("outputs/sweeps/four", [1, 1, 1, 1])
    said = project.type("-m", "sweeps", "cancel", held, status=1, PATH=path(tmp_path / "bin", squeue=AWAY))
    again = "python -m sweeps retry four launch=local launch.parallel=4"
    assert said == (
        "squeue failed: slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n"
        f"  try again\n  cancelled 2 trials; to go on with them: {again}\n"
    )
    project.until(held, lambda counts: counts == {"cancelled": 2, "running": 2})
    assert project.sweeps("cancel", held).startswith("cancelled 2 trials; ")
    project.wait_for(lambda: not slurm.tasks())


def test_what_scancel_could_not_end_is_not_called_cancelled(
    project: Project, slurm: Cluster, tmp_path: Path, held: str
):
    project.sweeps("submit", held, *words("slurm", gpus=1))
    project.until_saved("outputs/sweeps/four", [1, 1, 1, 1])
    faulty = path(tmp_path / "bin", scancel="echo 'scancel: error: Kill job error: Socket timed out' >&2; exit 1")
    said = project.type("-m", "sweeps", "cancel", held, status=1, PATH=faulty)
    assert said.startswith("scancel failed: ")
    assert "cancelled" not in said
    assert not list((project.folder / "outputs/sweeps/four/jobs").glob("*.cancelled"))
    project.hold.unlink()
    assert project.over(held) == {"done": 4}
