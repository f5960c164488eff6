"""train.py with -m and launch: the same engine, for a sweep that has no name."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.sweeps.cluster import Cluster
from tests.sweeps.project import Project, masked, words

TOLD = ("train.py", "run=told")
SLURM = words("slurm", hours=0.5)


def of_group(text: str) -> str:
    """Without the time that a group of runs is named after."""
    return re.sub(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", "GROUP", masked(text))


def group(project: Project) -> str:
    """The only folder of outputs/ that holds runs."""
    (found,) = (project.folder / "outputs").glob("[0-9]*")
    return f"outputs/{found.name}"


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command(pid: int) -> bytes:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def interrupted(project: Project, *typed: str, count: int, alone: bool = False) -> tuple[str, str, int]:
    """What a command prints that gets SIGINT once so many runs have saved; if none has to, once their job has begun.

    alone: only the command's own process gets it; else its whole process group does, as from a terminal.
    """
    project.hold.parent.mkdir(exist_ok=True)
    project.hold.touch()
    process = subprocess.Popen(
        [sys.executable, *typed],
        cwd=project.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while len(list((project.folder / "outputs").glob("*/*/last.pt"))) < count:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    while not count and b"cn.sweeping.job" not in b"".join(map(command, children(process.pid))):
        assert process.poll() is None, process.communicate()
    (os.kill if alone else os.killpg)(process.pid, signal.SIGINT)
    out, error = process.communicate()
    return out, error, process.returncode


def test_several_runs_go_to_the_cluster_and_the_command_returns(project: Project, slurm: Cluster):
    project.hold.parent.mkdir()
    project.hold.touch()
    said = project.type(*TOLD, "act=hold", "-m", "value=0.1,0.2", *SLURM)
    assert of_group(said) == "queued 2 runs as JOB\n  see: python -m sweeps status outputs/GROUP\n"
    folder = group(project)
    project.until(folder, lambda counts: counts == {"running": 2})
    project.hold.unlink()
    assert project.over(folder) == {"done": 2}
    assert masked(project.sweeps("status", folder)) == (
        "trial       state  step  score  time     what, why\n"
        "----------  -----  ----  -----  -------  ---------\n"
        "ID________  done   1/1   0.1    TIME___  value=0.1\n"
        "ID________  done   1/1   0.2    TIME___  value=0.2\n"
        "\n"
        "2 done\n"
    )
    first, second = project.trials(folder)
    assert project.sweeps("best", folder).splitlines()[0] == "python train.py run=told act=hold value=0.2"
    assert (project.folder / second["folder"] / "command.txt").read_text() == (
        "python train.py run=told act=hold value=0.2 launch=slurm launch.hours=0.5\n"
    )
    assert (project.folder / first["folder"] / "output.txt").read_text().startswith("begins after step 0 sees ")


def test_a_command_that_waits_shows_the_table_and_fails_with_its_runs(project: Project, slurm: Cluster):
    said = project.type(*TOLD, "-m", "act='',raise", *SLURM, "launch.wait=true", status=1)
    assert of_group(said) == (
        "queued 2 runs as JOB\n"
        "  see: python -m sweeps status outputs/GROUP\n"
        "\n"
        "no.  act    result\n"
        "---  -----  ----------------------------------------------------\n"
        "0    ''     0.5000\n"
        "1    raise  failed: ZeroDivisionError: no number is divided by 0\n"
        "1 of 2 runs failed\n"
    )


def test_a_command_that_waits_fails_with_a_job_that_never_began(project: Project, slurm: Cluster):
    setup = "launch.setup=['[ $SLURM_ARRAY_TASK_ID = 0 ] || exit 3']"
    said = project.type(*TOLD, "-m", "value=0.1,0.2", *SLURM, "launch.wait=true", setup, status=1)
    assert said.endswith(
        "no.  value  result\n"
        f"---  -----  {'-' * len('failed: it ended by itself, with exit status 3')}\n"
        "0    0.1    0.1000\n"
        "1    0.2    failed: it ended by itself, with exit status 3\n"
        "1 of 2 runs failed\n"
    )


def test_one_run_goes_to_the_cluster(project: Project, slurm: Cluster):
    said = project.type(*TOLD, "value=0.3", *SLURM)
    assert of_group(said) == "queued 1 run as JOB\n  see: python -m sweeps status outputs/GROUP\n"
    folder = group(project)
    assert project.over(folder) == {"done": 1}
    (trial,) = project.trials(folder)
    assert trial["words"] == ["run=told", "value=0.3", *SLURM]
    assert project.sweeps("logs", folder).endswith("\n\nbegins after step 0 sees 0\n")


def test_a_site_of_its_own_is_a_subclass(project: Project, slurm: Cluster):
    path = project.folder / "runs/launch/slurm.py"
    project.write(
        "runs/launch/slurm.py",
        path.read_text() + "\n\nclass Kyiv(Slurm):\n    hours: float = 2\n    partition: str | None = 'patient'\n",
    )
    project.type(*TOLD, "-m", "seed=1,2", "launch=slurm/kyiv", "launch.gpus=2", "launch.pack=2")
    folder = group(project)
    (number,) = (path.read_text().strip() for path in (project.folder / folder / "jobs").glob("*.id"))
    shown = slurm.show(f"{number}_0")
    assert (shown["Partition"], shown["TimeLimit"], shown["TresPerNode"]) == ("patient", "02:00:00", "gres:gpu:2")
    assert project.over(folder) == {"done": 2}
    # trials at once have a part of the GPUs each
    assert sorted(project.begun(trial)[0]["gpu"] for trial in project.trials(folder)) == ["0", "1"]


def test_runs_on_this_machine_go_side_by_side(project: Project):
    project.hold.parent.mkdir()
    project.hold.touch()
    process = project.start(*TOLD, "act=hold", "-m", "value=0.1,0.2,0.3", "launch.parallel=3")
    while len(list((project.folder / "outputs").glob("*/*/begun"))) < 3:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    project.hold.unlink()
    said, error = process.communicate()
    assert (process.returncode, error) == (0, "")
    assert said.endswith(
        "\nno.  value  result\n---  -----  ------\n0    0.1    0.1000\n1    0.2    0.2000\n2    0.3    0.3000\n"
    )
    notes = [
        [json.loads(line) for line in path.read_text().splitlines()]
        for path in (project.folder / group(project)).glob("*/begun")
    ]
    assert max(start["time"] for start, _ in notes) < min(end["ended"] for _, end in notes)


def test_the_same_run_is_one_trial_and_that_is_said(project: Project):
    """Wherever it is trained; in a folder of its own, which is asked for, it is trained again."""
    said = project.type(*TOLD, "-m", "value=0.5,0.1,0.10", "launch.parallel=1,2")
    left_out = [line for line in said.splitlines() if " is left out: " in line]
    assert left_out == [
        "value=0.5 launch.parallel=2 is left out: it is the same run as value=0.5 launch.parallel=1",
        "value=0.1 launch.parallel=2 is left out: it is the same run as value=0.1 launch.parallel=1",
        "value=0.10 launch.parallel=1 is left out: it is the same run as value=0.1 launch.parallel=1",
        "value=0.10 launch.parallel=2 is left out: it is the same run as value=0.1 launch.parallel=1",
    ]
    assert said.startswith("\n".join(left_out) + "\n[1/2] ")
    assert project.states(group(project)) == {"done": 2}
    project.type(*TOLD, "-m", "folder=outputs/a,outputs/b,outputs/a")
    assert {(project.folder / "outputs" / name / "begun").exists() for name in "ab"} == {True}


def test_runs_that_fail_leave_a_table_and_exit_status_1(project: Project):
    said = project.type(*TOLD, "-m", "act=raise,exit,kill,''", status=1)
    assert (
        "\n\nno.  act    result\n"
        f"---  -----  {'-' * len('failed: killed by SIGKILL, as the kernel does where memory runs out')}\n"
        "0    raise  failed: ZeroDivisionError: no number is divided by 0\n"
        "1    exit   failed: ended without a result, with exit status 3\n"
        "2    kill   failed: killed by SIGKILL, as the kernel does where memory runs out\n"
        "3    ''     0.5000\n"
    ) in said
    assert said.endswith("\n3 of 4 runs failed\n")
    folder = group(project)
    assert project.states(folder) == {"failed": 3, "done": 1}
    (killed,) = (trial for trial in project.trials(folder) if trial["words"] == ["act=kill"])
    project.sweeps("retry", folder, killed["id"])
    assert project.over(folder) == {"failed": 3, "done": 1}
    assert len(project.begun(killed)) == 2


@pytest.mark.parametrize(("parallel", "alone"), [(1, False), (2, False), (1, True)])
def test_ctrl_c_ends_all_runs_after_they_have_saved(project: Project, parallel: int, alone: bool):
    typed = (*TOLD, "act=hold", "steps=3", "at=1", "-m", "value=0.1,0.2,0.3", f"launch.parallel={parallel}")
    out, error, status = interrupted(project, *typed, count=parallel, alone=alone)
    assert (status, error.count("Traceback")) == (130, 0)
    assert "\nno.  value  result\n" in out
    folder = group(project)
    assert project.states(folder) == {"cancelled": 3}
    project.hold.unlink()
    project.sweeps("retry", folder)
    assert project.over(folder) == {"done": 3}
    begun = [[each.get("step") for each in project.begun(trial)] for trial in project.trials(folder)]
    assert sorted(begun, key=len) == [[0, None]] * (3 - parallel) + [[0, 2, None]] * parallel


def test_ctrl_c_while_the_job_starts_is_no_failure(project: Project):
    out, error, status = interrupted(project, *TOLD, "act=hold", "-m", "value=0.1,0.2", count=0)
    assert (status, error) == (130, "")
    assert f"to go on with the rest: python -m sweeps retry {group(project)}\n" in out
    project.hold.unlink()
    project.sweeps("retry", group(project))
    assert project.over(group(project)) == {"done": 2}


def test_runs_stop_when_their_command_is_killed(project: Project):
    project.hold.parent.mkdir(exist_ok=True)
    project.hold.touch()
    typed = [sys.executable, *TOLD, "act=hold", "steps=3", "at=1", "-m", "value=0.1,0.2"]
    process = subprocess.Popen(typed, cwd=project.folder, stdout=subprocess.DEVNULL, start_new_session=True)
    while not list((project.folder / "outputs").glob("*/*/last.pt")):
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    project.until(group(project), lambda counts: counts == {"cancelled": 2})


def test_a_trained_run_is_the_base_of_several_others(project: Project):
    project.type(*TOLD, "value=0.25", "steps=2")
    (source,) = (path.parent for path in (project.folder / "outputs").glob("*/last.pt"))
    said = project.type("train.py", "--from", str(source), "-m", "seed=4,5")
    assert said.endswith("\nno.  seed  result\n---  ----  ------\n0    4     0.2500\n1    5     0.2500\n")
    (folder,) = (path.parent for path in (project.folder / "outputs").glob("*/sweep.json"))
    commands = sorted(path.read_text() for path in folder.glob("*/command.txt"))
    assert commands == [f"python train.py --from {source} seed={seed}\n" for seed in (4, 5)]


def test_folders_that_are_taken_are_refused_before_anything_starts(project: Project):
    project.type(*TOLD, "folder=outputs/b")
    refused = project.type(*TOLD, "folder=outputs/b", status=2)
    assert project.type(*TOLD, "-m", "folder=outputs/a,outputs/b", status=2) == refused
    assert sorted(path.name for path in (project.folder / "outputs").iterdir()) == ["b"]
