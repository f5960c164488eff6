"""What the SLURM of these tests does: what sweeps rely on, and that nothing of it is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.sweeps.cluster import OURS, Cluster

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where jobs run and leave their output."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
            for _ in range(6000):
                slurm.states(job)
                time.sleep(0.1)


def test_sacct_answers_with_accounting_only(slurm: Cluster, slurm_accounting: Cluster) -> None:
    slurm_accounting.restart_controller()
    job = slurm_accounting.sbatch("exit 3")
    slurm_accounting.wait(job, "FAILED")
    end = time.monotonic() + 600
    while (said := slurm_accounting.run("sacct", "-nXPj", job, "-o", "jobid,state,exitcode")) != f"{job}|FAILED|3:0\n":
        assert time.monotonic() < end, said  # the database is told a little later
        time.sleep(0.2)
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
import signal, sys, time
from pathlib import Path
from tests.sweeps.cluster import Cluster
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it starts in the background ignore it
cluster = Cluster(Path("cluster"))
cluster.start()
cluster.wait(cluster.sbatch("trap '' TERM; (setsid sleep 600 &); srun sleep 600"), "RUNNING")
end = time.monotonic() + 600
def comm(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except (FileNotFoundError, ProcessLookupError):  # one that has just ended
        return ""
while sum(comm(pid) == "sleep\\n" for pid in cluster.processes()) < 2:
    assert time.monotonic() < end
    time.sleep(0.1)
print(*cluster.processes(), flush=True)
if sys.argv[1] == "stop":
    cluster.stop()
else:
    time.sleep(600)
"""


@pytest.mark.usefixtures("_slurm")
@pytest.mark.parametrize("how", ["stop", "SIGKILL", "SIGINT", "SIGTERM"])
def test_nothing_is_left_of_a_cluster(how: str, here: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", LEAVES, how]
    errors = here / "errors.txt"
    with (
        errors.open("w") as file,
        subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=file, text=True, start_new_session=True
        ) as test,
    ):
        assert test.stdout is not None
        pids = test.stdout.readline().split()
        if how != "stop":
            os.killpg(test.pid, getattr(signal, how))
        test.wait(600)
    # munged, slurmctld and its helper, two slurmd, two slurmstepd, the script, srun, two sleeps
    assert len(pids) >= 9, errors.read_text()
    end = time.monotonic() + 600
    while left := [pid for pid in pids if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < end, left
        time.sleep(0.1)
    assert "slurm" not in Path("/proc/mounts").read_text()
    assert not list(Path("/sys/fs/cgroup").rglob("*slurm*"))
