"""What the SLURM of these tests does: what sweeps rely on, and that nothing of it is left behind."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
import submitit

from tests.sweeps.cluster import OURS, Cluster
from tests.sweeps.settings import ENFORCED_MEMORY, GPUS, NODES

ROOT = Path(__file__).parents[2]

# Writes what `scontrol show job` says when the first SIGTERM comes, and then ends or stays.
ON_SIGTERM = """
import os, signal, subprocess, sys, time
name, then = sys.argv[1:]
job = os.environ["SLURM_JOB_ID"]
def handle(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    said = subprocess.run(["scontrol", "-o", "show", "job", job], capture_output=True, text=True).stdout
    with open(name + ".part", "w") as file:
        file.write(said)
    os.rename(name + ".part", name)
    if then == "requeue":
        subprocess.run(["scontrol", "requeue", job])
    if then != "stay":
        os._exit(0)
signal.signal(signal.SIGTERM, handle)
open(name + "." + os.environ.get("SLURM_RESTART_COUNT", "0"), "w").close()
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where jobs run and leave their output."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "on_sigterm.py").write_text(ON_SIGTERM)
    return tmp_path


def on_sigterm(cluster: Cluster, name: str, then: str, *words: str) -> str:
    """A job whose step is ready for SIGTERM."""
    job = cluster.sbatch(f"srun {sys.executable} on_sigterm.py {name} {then}", "--requeue", *words)
    appears(f"{name}.0")
    return job


def said(name: str, timeout: float = 30) -> dict[str, str]:
    words = appears(name, timeout).read_text().split()
    return dict(word.split("=", 1) for word in words if "=" in word)


def appears(name: str, timeout: float = 30) -> Path:
    end = time.monotonic() + timeout
    while not Path(name).exists():
        assert time.monotonic() < end, f"no {name} after {timeout} s"
        time.sleep(0.1)
    return Path(name)


def test_each_of_twelve_jobs_has_one_of_eight_gpus_to_itself(slurm: Cluster) -> None:
    job = slurm.sbatch(
        "echo $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES; date +%s.%N; sleep 1; date +%s.%N",
        "--array=0-11",
        "--gres=gpu:1",
        "--output=%a.txt",
    )
    slurm.wait(job, "COMPLETED")
    times: dict[str, list[tuple[float, float]]] = {}
    for task in range(12):
        gpu, start, end = Path(f"{task}.txt").read_text().splitlines()
        times.setdefault(gpu, []).append((float(start), float(end)))
    assert sorted(times) == [f"{node} {gpu}" for node in NODES for gpu in range(GPUS)]
    for spans in map(sorted, times.values()):
        assert all(end <= start for (_, end), (start, _) in pairwise(spans))


def test_a_step_runs_on_two_nodes(slurm: Cluster) -> None:
    job = slurm.sbatch(
        "srun bash -c 'echo $SLURM_PROCID $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES'",
        "--nodes=2",
        "--ntasks-per-node=1",
        "--gpus-per-node=4",
        "--output=out.txt",
    )
    slurm.wait(job, "COMPLETED")
    assert sorted(Path("out.txt").read_text().splitlines()) == ["0 n1 0,1,2,3", "1 n2 0,1,2,3"]


def test_the_last_task_of_an_array_has_the_number_of_the_array(slurm: Cluster) -> None:
    array = slurm.sbatch("echo $SLURM_JOB_ID $SLURM_ARRAY_JOB_ID", "--array=0-2", "--output=%a.txt")
    slurm.wait(array, "COMPLETED")
    numbers = [Path(f"{task}.txt").read_text().split() for task in range(3)]
    assert numbers[2] == [array, array]
    assert array not in (numbers[0][0], numbers[1][0])
    # so this asks for all tasks, and not for the last one
    assert slurm.run("scontrol", "-o", "show", "job", array).count("ArrayTaskId=") == 3
    assert slurm.show(f"{array}_2")["JobId"] == array


def test_preempted_without_a_grace_time_a_job_is_requeued_before_it_knows(slurm: Cluster) -> None:
    job = on_sigterm(slurm, "low", "stay", "--gres=gpu:4", "--nodelist=n1")
    high = slurm.sbatch("true", "--partition=high", "--gres=gpu:4", "--nodelist=n1")
    seen = said("low")
    assert (seen["JobState"], seen["Restarts"], seen["EndTime"]) == ("COMPLETING", "1", "Unknown")
    assert "PreemptTime" not in seen
    slurm.wait(high, "COMPLETED")
    slurm.wait(job, "PENDING")
    assert slurm.show(job)["Reason"] == "BeginTime"
    slurm.start_requeued(job)
    appears("low.1")


def test_a_requeued_job_waits_two_minutes(slurm: Cluster) -> None:
    job = on_sigterm(slurm, "requeued", "end")
    slurm.run("scontrol", "requeue", job)
    slurm.wait(job, "PENDING")
    start = time.mktime(time.strptime(slurm.show(job)["StartTime"], "%Y-%m-%dT%H:%M:%S"))
    assert 100 < start - time.time() <= 121


@pytest.mark.parametrize(("then", "state"), [("end", "COMPLETED"), ("requeue", "PENDING")])
def test_a_job_that_ends_in_its_grace_time_must_ask_for_a_requeue(slurm: Cluster, then: str, state: str) -> None:
    job = on_sigterm(slurm, "patient", then, "--partition=patient", "--gres=gpu:4", "--nodelist=n1")
    slurm.sbatch("true", "--partition=high", "--gres=gpu:4", "--nodelist=n1")
    seen = said("patient")
    assert (seen["JobState"], seen["Restarts"]) == ("RUNNING", "0")
    assert seen["PreemptTime"][:2] == "20"
    assert slurm.wait(job, {"COMPLETED", "PENDING"}) == {job: state}


def test_a_cancelled_job_sees_no_preemption_and_is_not_requeued(slurm: Cluster) -> None:
    job = on_sigterm(slurm, "cancelled", "end")
    slurm.run("scancel", job)
    seen = said("cancelled")
    assert (seen["JobState"], seen["Restarts"], seen["PreemptTime"]) == ("COMPLETING", "0", "None")
    assert seen["EndTime"][:2] == "20"
    slurm.wait(job, "CANCELLED")


def test_a_job_beyond_its_time_sees_the_time_limit(slurm: Cluster) -> None:
    job = on_sigterm(slurm, "late", "end", "--time=5")
    slurm.expire(job)
    seen = said("late", 45)
    assert (seen["JobState"], seen["Reason"], seen["Restarts"]) == ("COMPLETING", "TimeLimit", "0")
    slurm.wait(job, "TIMEOUT")


def test_a_job_that_takes_too_much_memory_is_killed(slurm: Cluster) -> None:
    take = f"{sys.executable} -c 'x = bytearray(300 * 2**20); import time; time.sleep(60)'"
    with slurm.configured(**ENFORCED_MEMORY):
        job = slurm.sbatch(take, "--mem=100", "--output=out.txt")
        slurm.wait(job, "FAILED")
    assert "slurmstepd-n1: error: Exceeded job memory limit" in Path("out.txt").read_text()


@pytest.mark.parametrize("lost", ["down", "reboot"])
def test_the_jobs_of_a_lost_node_are_requeued_if_they_may_be(slurm: Cluster, lost: str) -> None:
    again = on_sigterm(slurm, "again", "stay", "--nodelist=n1")
    never = slurm.sbatch("sleep 600", "--no-requeue", "--nodelist=n1")
    slurm.wait(never, "RUNNING")
    getattr(slurm, lost)("n1")
    slurm.wait(never, "NODE_FAIL")
    slurm.start_requeued(again)
    assert slurm.squeue() == {again: "PENDING"}
    slurm.resume("n1")
    appears("again.1")


def test_jobs_run_on_while_the_controller_is_away(slurm: Cluster) -> None:
    job = slurm.sbatch("sleep 2; touch done; sleep 600")
    slurm.wait(job, "RUNNING")
    slurm.stop_controller()
    with pytest.raises(RuntimeError, match="Unable to contact slurm controller"):
        slurm.squeue()
    appears("done")
    slurm.start_controller()
    assert slurm.squeue() == {job: "RUNNING"}


def test_settings_hold_for_a_while(slurm: Cluster) -> None:
    with slurm.configured(MaxArraySize=20):
        with pytest.raises(RuntimeError, match="Invalid job array specification"):
            slurm.sbatch("true", "--array=0-20")
        slurm.sbatch("true", "--array=0-19")
    slurm.sbatch("true", "--array=0-20")


def test_a_job_that_is_long_over_is_forgotten(slurm: Cluster) -> None:
    with slurm.configured(MinJobAge=2):
        job = slurm.sbatch("true")
        slurm.wait(job, "COMPLETED")
        with pytest.raises(RuntimeError, match="Invalid job id specified"):  # noqa: PT012
            for _ in range(300):
                slurm.states(job)
                time.sleep(0.1)


@pytest.fixture
def executor(here: Path) -> submitit.AutoExecutor:
    executor = submitit.AutoExecutor(folder=here / "submitit", cluster="slurm")
    executor.update_parameters(timeout_min=5, gpus_per_node=1)
    return executor


def test_submitit_brings_the_result(each_slurm: Cluster, executor: submitit.AutoExecutor) -> None:
    assert executor.submit(os.getenv, "CUDA_VISIBLE_DEVICES").result() == "0"
    several = executor.map_array(math.factorial, [3, 4])
    assert [job.job_id.partition("_")[2] for job in several] == ["0", "1"]
    assert [job.result() for job in several] == [6, 24]
    alone = executor.map_array(math.factorial, [5])
    assert [job.job_id.partition("_")[2] for job in alone] == [""]  # a list of one is no array
    assert alone[0].result() == 120


def test_without_accounting_submitit_never_knows_that_a_job_left(
    each_slurm: Cluster, executor: submitit.AutoExecutor
) -> None:
    job = executor.submit(sys.exit, 3)
    each_slurm.wait(job.job_id, "FAILED")
    time.sleep(1)  # for the database
    assert job.done(force_check=True) == each_slurm.accounting
    assert job.state == ("FAILED" if each_slurm.accounting else "UNKNOWN")


def test_sacct_answers_with_accounting_only(slurm: Cluster, slurm_accounting: Cluster) -> None:
    slurm_accounting.restart_controller()
    job = slurm_accounting.sbatch("exit 3")
    slurm_accounting.wait(job, "FAILED")
    time.sleep(1)  # for the database
    assert slurm_accounting.run("sacct", "-nXPj", job, "-o", "jobid,state,exitcode") == f"{job}|FAILED|3:0\n"
    with pytest.raises(RuntimeError, match="Slurm accounting storage is disabled"):
        slurm.run("sacct")


def test_the_environment_is_as_it_was(slurm: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    monkeypatch.setenv("SBATCH_PARTITION", "elsewhere")
    before = dict(os.environ)
    with slurm.selected():
        assert {name for name in os.environ if OURS.match(name)} == {"SLURM_CONF"}
        assert os.environ["SLURM_CONF"] == str(slurm.conf)
    assert dict(os.environ) == before


def test_where_there_can_be_none_the_reason_is_told(monkeypatch: pytest.MonkeyPatch, here: Path) -> None:
    monkeypatch.setattr("tests.sweeps.cluster.PATH", str(here))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert Cluster.missing() == "not installed: munged, slurmctld, slurmd, sbatch"
    assert Cluster.missing(accounting=True).endswith(", slurmdbd, mariadbd, mariadb-install-db")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert Cluster.missing() == "only root can start a SLURM"


LEAVES = """
import sys, time
from pathlib import Path
from tests.sweeps.cluster import Cluster
cluster = Cluster(Path("cluster"))
cluster.start()
cluster.wait(cluster.sbatch("trap '' TERM; (setsid sleep 600 &); srun sleep 600"), "RUNNING")
time.sleep(1)
print(*cluster.processes(), flush=True)
if sys.argv[1] == "stop":
    cluster.stop()
else:
    time.sleep(600)
"""


@pytest.mark.usefixtures("_slurm")
@pytest.mark.parametrize("how", ["stop", "SIGKILL", "SIGINT", "SIGTERM"])
def test_nothing_is_left_of_a_cluster(how: str) -> None:
    mounts = Path("/proc/mounts").read_text()
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", LEAVES, how]
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    ) as test:
        assert test.stdout is not None
        pids = test.stdout.readline().split()
        if how != "stop":
            os.killpg(test.pid, getattr(signal, how))
        test.wait(10)
    assert len(pids) >= 9  # munged, slurmctld and its helper, two slurmd, two slurmstepd, the script, srun, two sleeps
    end = time.monotonic() + 10
    while left := [pid for pid in pids if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < end, left
        time.sleep(0.1)
    assert Path("/proc/mounts").read_text() == mounts
    assert not list(Path("/sys/fs/cgroup").rglob("*slurm*"))
