"""SlurmQueue on a real SLURM: what jobs are given, what they learn, and what is known of them."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cn import RunError, UserError
from cn.launching.commands import indices
from cn.launching.ended import reason
from cn.launching.queue import Job, Jobs
from cn.launching.slurm_queue import SlurmQueue
from runs.launch.slurm import Slurm
from tests.sweeps.cluster import PATIENCE, Cluster, known
from tests.sweeps.settings import GPUS, NODES

ROOT = Path(__file__).parents[2]

# writes INDEX.json when it starts; then does as it is told, and writes INDEX.why when it is asked to end
JOB = """
import dataclasses, json, os, signal, sys, time
from pathlib import Path
from runs.launch.slurm import Slurm

queue = Slurm(pack=2).build()
here = queue.here()
then, folder = sys.argv[1], Path(__file__).parent

def write(name, value):
    part = folder / f"{name}.part"
    part.write_text(json.dumps(value))
    part.rename(folder / name)

def end(number, _):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    why = queue.why()
    if then != "over" and (why in ("preempted", "time") or number == signal.SIGUSR2):
        queue.requeue()
    write(f"{then}-{here.index}.{here.restarts}.why", [signal.Signals(number).name, why, time.time()])
    os._exit(0)

signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGUSR2, signal.SIG_IGN if then in ("late", "over") else end)
start = time.time()
print("attempt", here.restarts, flush=True)
write(f"{then}-{here.index}.{here.restarts}", {**dataclasses.asdict(here), "start": start, "environ": dict(os.environ)})
if then == "show":
    time.sleep(1)
    write(f"{then}-{here.index}.end", time.time())
elif then.startswith("exit"):
    sys.exit(here.index)
elif then == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
else:
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where jobs run and leave what they say; its name is not a plain one."""
    folder = tmp_path / "a b%"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "job.py").write_text(JOB)
    return folder


def queue(**fields: Any) -> SlurmQueue:
    built = Slurm(**fields).build()
    assert isinstance(built, SlurmQueue)
    return built


def jobs(then: str, count: int = 1, **changed: Any) -> Jobs:
    """Jobs that run JOB."""
    given: dict[str, Any] = {
        "name": "sweep",
        "label": then,
        "words": (str(Path("job.py").absolute()), then),
        "environment": {"PYTHONPATH": str(ROOT)},
        "count": count,
        "folder": Path("jobs", then).absolute(),
    }
    return Jobs(**{**given, **changed})


def listed(of: str = "sweep") -> list[Job]:
    return queue().jobs(of, Path())


def indices_of(state: str, label: str) -> list[int]:
    return sorted(job.index or 0 for job in listed() if (job.state, job.label) == (state, label))


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, known(os.environ)
        time.sleep(0.2)


def why_of(*ended: str) -> dict[str, str]:
    """Why jobs have ended; nothing while one has not."""
    try:
        return queue().ended(list(ended))
    except RunError:
        return {}


def told(name: str) -> Any:
    until(Path(name).exists)
    return json.loads(Path(name).read_text())


def test_each_of_twelve_jobs_has_one_of_eight_gpus_and_what_was_asked_for(
    slurm: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what sbatch would obey rather than its script, or hand on to the jobs
    for name in ("SBATCH_PARTITION", "SBATCH_TIMELIMIT", "SLURM_JOB_ID", "SLURM_RESTART_COUNT"):
        monkeypatch.setenv(name, "77")
    monkeypatch.setenv("SBATCH_WAIT", "1")
    wanted = queue(
        partition="low",
        cpus=2,
        memory=3,
        setup=["export FIRST='a b'", "export SECOND=setup"],
        container=f"env CONTAINED=yes PATH={Path(sys.executable).parent}:{os.environ['PATH']}",
        sbatch={"nice": "5", "overcommit": ""},
    )
    batch = jobs("show", 12, environment={"PYTHONPATH": str(ROOT), "SECOND": "it's $HOME\n2"})
    number = wanted.submit(batch)
    slurm.wait(number, "COMPLETED")
    times: dict[str, list[tuple[float, float]]] = {}
    for index in range(12):
        seen = told(f"show-{index}.0")
        env = seen["environ"]
        assert (seen["index"], seen["number"], seen["restarts"]) == (index, f"{number}_{index}", 0)
        assert seen["host"] in NODES
        assert seen["environments"] == [{}, {}]
        assert (env["FIRST"], env["SECOND"], env["CONTAINED"]) == ("a b", "it's $HOME\n2", "yes")
        assert (env["SLURM_CPUS_PER_TASK"], env["SLURM_MEM_PER_NODE"]) == ("2", "3072")
        assert (env["SLURM_JOB_NAME"], env["SLURM_KILL_BAD_EXIT"]) == ("sweep", "1")
        times.setdefault(f"{seen['host']} {env['CUDA_VISIBLE_DEVICES']}", []).append(
            (seen["start"], told(f"show-{index}.end"))
        )
    assert sorted(times) == [f"{node} {gpu}" for node in NODES for gpu in range(GPUS)]
    for spans in map(sorted, times.values()):
        assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    shown = slurm.show(f"{number}_11")
    assert (shown["Comment"], shown["Nice"], shown["TimeLimit"], shown["Requeue"]) == ("show", "5", "01:00:00", "1")
    files = {path.name: path for path in batch.folder.iterdir()}
    assert sorted(files) == sorted(["submission.sh", *(f"{index}.out" for index in range(12))])
    assert not any(path.is_symlink() for path in files.values())
    assert files["3.out"].read_text() == "attempt 0\n"
    script = files["submission.sh"].read_text()  # whose effect not every cluster shows
    assert "\n#SBATCH --requeue\n" in script
    assert "\n#SBATCH --open-mode=append\n" in script
    assert "\n#SBATCH --signal=USR2@90\n" in script
    assert " --kill-on-bad-exit=1 --cpus-per-task=2 env CONTAINED=yes PATH=" in script


def test_jobs_have_their_variables_where_a_site_hands_on_none(slurm: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SBATCH_EXPORT", "NONE")
    batch = jobs("show")
    number = queue().submit(batch)
    slurm.wait(number, ["COMPLETED", "FAILED"])
    assert (batch.folder / "0.out").read_text() == "attempt 0\n"
    assert told("show-0.0")["environ"]["PYTHONPATH"] == str(ROOT)


def test_jobs_are_known_by_their_sweep_and_only_they_are_cancelled(slurm: Cluster) -> None:
    first = queue().submit(jobs("first", 30, at_once=2))
    second = queue(gpus=0).submit(jobs("second", 2, after=(first,)))
    queue(gpus=0).submit(jobs("other", name="sweep2"))
    until(lambda: indices_of("running", "first") == [0, 1])
    assert indices_of("pending", "first") == list(range(2, 30))
    waiting = [Job("first", 29, first, "pending", "JobArrayTaskLimit")]
    waiting += [Job("second", index, second, "pending", "Dependency") for index in range(2)]
    until(lambda: all(job in listed() for job in waiting))  # SLURM writes a reason when it next looks at its queue
    slurm.run("scancel", *(f"{first}_{index}" for index in range(4, 30, 3)), f"{first}_29")
    gone = {*range(4, 30, 3), 29}
    assert indices_of("pending", "first") == [index for index in range(2, 30) if index not in gone]
    told("other-0.0")
    queue(gpus=0).submit(jobs("third", after=(first, second)))
    queue().cancel("sweep2", Path())
    assert told("other-0.0.why")[:2] == ["SIGTERM", "cancelled"]
    assert {job.label for job in listed()} == {"first", "second", "third"}
    slurm.run("scancel", first, second)
    told("third-0.0")  # once all before it are over, however they ended
    queue().cancel("sweep", Path())
    until(lambda: not listed())


def test_a_job_learns_why_it_is_told_to_end(slurm: Cluster) -> None:
    low = {"gpus": 4, "partition": "low", "sbatch": {"nodelist": "n1"}}
    patient = {"gpus": 4, "partition": "patient", "sbatch": {"nodelist": "n2"}}
    high = {"gpus": 0, "partition": "high"}
    numbers = {
        "low": queue(**low).submit(jobs("low")),
        "requeue": queue(**patient).submit(jobs("requeue")),
        "late": queue(**high).submit(jobs("late")),
        "over": queue(**high).submit(jobs("over")),
        "warned": queue(**high, hours=0.01).submit(jobs("warned")),
        "signalled": queue(**high).submit(jobs("signalled")),
    }
    for then in numbers:
        told(f"{then}-0.0")
    began = datetime.fromisoformat(slurm.show(f"{numbers['warned']}_0")["StartTime"]).timestamp()
    for then in ("late", "over"):
        slurm.expire(f"{numbers[then]}_0")
    slurm.run("scancel", "--signal=TERM", numbers["signalled"])
    assert told("signalled-0.0.why")[1] == "unknown"
    for node in NODES:
        slurm.sbatch("true", "--partition=high", "--gres=gpu:4", f"--nodelist={node}")
    assert told("low-0.0.why")[:2] == ["SIGTERM", "requeued"]
    assert told("requeue-0.0.why")[:2] == ["SIGTERM", "preempted"]
    for then in ("low", "requeue"):
        slurm.start_requeued(f"{numbers[then]}_0")
        assert told(f"{then}-0.1")["restarts"] == 1
        until(lambda then=then: Path("jobs", then, "0.out").read_text().count("attempt ") == 2)
    for then in ("late", "over"):
        assert told(f"{then}-0.0.why")[:2] == ["SIGTERM", "time"]
    name, _, at = told("warned-0.0.why")
    assert name == "SIGUSR2"
    assert at - began > 14  # of the minute that it has
    script = Path("jobs", "warned", "submission.sh").read_text()
    assert "\n#SBATCH --signal=USR2@15\n" in script
    assert "\n#SBATCH --time=1\n" in script
    for then in ("late", "warned"):
        slurm.wait(f"{numbers[then]}_0", "PENDING")
    number = f"{numbers['over']}_0"
    until(lambda: why_of(number) == {number: "time limit: raise launch.hours"})
    queue().cancel("sweep", Path())
    for then in ("low", "requeue"):  # what was said about the first time is not taken for the second
        assert told(f"{then}-0.1.why")[:2] == ["SIGTERM", "cancelled"]


def test_where_preemption_would_end_a_job_it_requeues_itself(slurm: Cluster) -> None:
    with slurm.configured(PreemptMode="CANCEL"):
        number = queue(gpus=4, sbatch={"nodelist": "n1"}).submit(jobs("low"))
        told("low-0.0")
        slurm.sbatch("true", "--partition=high", "--gres=gpu:4", "--nodelist=n1")
        assert told("low-0.0.why")[:2] == ["SIGTERM", "preempted"]
        until(lambda: listed() == [Job("low", 0, number, "pending", "BeginTime")])


def test_a_job_of_a_node_that_is_set_down_knows_that_it_is_requeued(slurm: Cluster) -> None:
    number = queue(sbatch={"nodelist": "n1"}).submit(jobs("low"))
    told("low-0.0")
    slurm.down("n1")
    assert told("low-0.0.why")[:2] == ["SIGTERM", "requeued"]
    until(lambda: [(job.number, job.state) for job in listed()] == [(number, "pending")])


def test_why_jobs_ended_is_known_with_accounting_and_without(each_slurm: Cluster) -> None:
    if each_slurm.accounting:
        each_slurm.restart_controller()
    numbers = {then: queue(gpus=0).submit(jobs(then, 3)) for then in ("exit", "kill", "stay")}
    told("stay-2.0")
    each_slurm.run("scancel", f"{numbers['stay']}_1")
    until(lambda: len(listed()) == 2)
    stay = f"{numbers['stay']}_0"
    ended = [f"{numbers[then]}_{index}" for then in ("exit", "kill") for index in range(3)] + [f"{numbers['stay']}_1"]
    by = " by root" if each_slurm.accounting else ""
    want = {
        **{f"{numbers['exit']}_{index}": f"it ended by itself, with exit status {index}" for index in range(3)},
        **{f"{numbers['kill']}_{index}": "killed by SIGKILL" for index in range(3)},
        f"{numbers['stay']}_1": f"cancelled{by}",
    }
    until(lambda: why_of(*ended, "99999_0") == want)
    assert queue().ended(["99999_0"]) == {}
    with pytest.raises(RunError) as alive:
        queue().ended([*ended, stay])
    assert str(alive.value) == f"squeue does not list {stay}, of which scontrol says that it is RUNNING\n  try again"


@pytest.mark.parametrize(
    ("state", "code", "said"),
    [
        ("RUNNING", "0:0", None),
        ("PENDING", "0:0", None),
        ("OUT_OF_MEMORY", "0:125", "out of memory: raise launch.memory"),
        ("NODE_FAIL", "0:0", "its node failed"),
        ("CANCELLED by 4242", "0:15", "cancelled by 4242"),
        ("FAILED", "139:0", "killed by SIGSEGV"),
        ("FAILED", "255:0", "killed by signal 127"),
    ],
)
def test_states_are_told_in_words(state: str, code: str, said: str | None) -> None:
    assert reason(state, code) == said


def test_an_array_is_as_large_as_slurm_allows(slurm: Cluster) -> None:
    assert queue().most() == 999
    with slurm.configured(MaxArraySize=20):
        assert queue().most() == 20
        queue(gpus=0).submit(jobs("stay", 20))
        with pytest.raises(UserError, match="Invalid job array specification"):
            queue(gpus=0).submit(jobs("more", 21))


THERE_IS = "to change it: launch.gpus, launch.cpus, launch.memory, launch.nodes; there is: sinfo -o '%P %D %G %c %m'"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"partition": "patent"},
            """Invalid partition name specified; invalid partition specified: patent
  nearest: patient
  to change it: launch.partition=NAME""",
        ),
        (
            {"partition": "gpu"},
            """Invalid partition name specified; invalid partition specified: gpu
  choose from: high, low, patient
  to change it: launch.partition=NAME""",
        ),
        ({"gpus": 9}, f"Requested node configuration is not available\n  {THERE_IS}"),
        (
            {"memory": 900},
            f"""Requested node configuration is not available; Memory specification can not be satisfied
  {THERE_IS}""",
        ),
        (
            {"constraint": "a100"},
            """Invalid feature specification
  to change it: launch.constraint=NAME; those there are: sinfo -o %f""",
        ),
        (
            {"sbatch": {"bogus": "1"}},
            """unrecognized option '--bogus=1'
  to change it: launch.sbatch, whose names are the long ones of `man sbatch`""",
        ),
        (
            {"sbatch": {"reservation": "course"}},
            "Requested reservation is invalid",
        ),
    ],
)
def test_what_slurm_refuses_is_told_in_its_own_words(slurm: Cluster, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as error:
        queue(**fields).submit(jobs("refused", 2))
    assert str(error.value) == f"SLURM did not take the jobs: {said}"
    assert os.listdir("jobs/refused") == []


def test_what_only_an_accounting_cluster_refuses(slurm_accounting: Cluster) -> None:
    said: list[str] = []
    with slurm_accounting.configured(AccountingStorageEnforce="associations,qos,limits"):
        for fields in ({"account": "x"}, {"qos": "x"}, {}):
            if not fields:
                slurm_accounting.run("sacctmgr", "-i", "modify", "user", "root", "set", "MaxSubmitJobs=1")
            with pytest.raises(UserError) as error:
                queue(**fields).submit(jobs("refused", 2))
            said.append(str(error.value))
        slurm_accounting.run("sacctmgr", "-i", "modify", "user", "root", "set", "MaxSubmitJobs=-1")
    policy = "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"
    assert said == [
        "SLURM did not take the jobs: Invalid account or account/partition combination specified\n"
        "  to change it: launch.account=NAME; yours: sacctmgr show associations user=$USER format=account,partition",
        "SLURM did not take the jobs: Invalid qos specification\n"
        "  to change it: launch.qos=NAME; those there are: sacctmgr show qos format=name",
        f"SLURM did not take the jobs: {policy}; AssocMaxSubmitJobLimit\n"
        "  to change it: submit fewer trials, or again when others are over; "
        "the limits: sacctmgr show associations user=$USER",
    ]


def test_without_its_controller_slurm_does_not_answer(slurm: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "1")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    away = "Unable to contact slurm controller (connect failure)"
    with slurm.configured(MessageTimeout=2), ThreadPoolExecutor() as pool:  # each asks again for some seconds
        slurm.stop_controller()
        listing, submitting = pool.submit(listed), pool.submit(queue().submit, jobs("away"))
        why, ended = pool.submit(queue().why), pool.submit(queue().ended, ["1_0"])
        assert str(listing.exception()) == (f"squeue failed: slurm_load_jobs error: {away}\n  try again")
        assert isinstance(listing.exception(), RunError)
        assert str(submitting.exception()) == f"sbatch failed: {away}\n  try again"
        assert isinstance(submitting.exception(), RunError)
        assert (why.result(), ended.result()) == ("unknown", {})
        slurm.start_controller()


def test_where_there_is_no_slurm_it_is_said(monkeypatch: pytest.MonkeyPatch, here: Path) -> None:
    monkeypatch.setenv("PATH", str(here))
    more = "is not here: this machine is not part of a SLURM cluster\n  to run on it: launch=local"
    with pytest.raises(UserError) as refused:
        queue().submit(jobs("stay"))
    assert str(refused.value) == f"sbatch {more}"
    with pytest.raises(UserError) as refused:
        queue().most()
    assert str(refused.value) == f"sbatch {more}"
    with pytest.raises(RunError) as silent:
        listed()
    assert str(silent.value) == f"squeue {more}"


@pytest.mark.skipif(shutil.which("squeue") is None, reason="SLURM's commands are not installed")
@pytest.mark.skipif(Path("/etc/slurm/slurm.conf").exists(), reason="this machine is part of a cluster")
def test_slurms_commands_alone_are_no_slurm(monkeypatch: pytest.MonkeyPatch, here: Path) -> None:
    monkeypatch.delenv("SLURM_CONF", raising=False)
    with pytest.raises(RunError) as silent:
        listed()
    more = "is not here: this machine is not part of a SLURM cluster\n  to run on it: launch=local"
    assert str(silent.value) == f"squeue {more}"


@pytest.mark.parametrize(
    ("text", "tasks"),
    [("4", [4]), ("0-2,7,10-20:5%4", [0, 1, 2, 7, 10, 15, 20])],
)
def test_tasks_are_counted(text: str, tasks: list[int]) -> None:
    assert indices(text) == tasks


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"gpus": -1}, "Slurm.gpus is int >= 0, not -1"),
        ({"cpus": 0}, "Slurm.cpus is int >= 1 | None, not 0"),
        ({"memory": -2}, "Slurm.memory is int >= 1 | None, not -2"),
        ({"parallel": 0}, "Slurm.parallel is int >= 1 | None, not 0"),
        ({"pack": 0}, "Slurm.pack is int >= 1, not 0"),
        ({"hours": 0.0}, "Slurm.hours is 0 < float < inf, not 0.0"),
        ({"hours": float("inf")}, "Slurm.hours is 0 < float < inf, not inf"),
        ({"sbatch": {"job_name": "mine"}}, "sbatch has 'job_name', which every sweep sets itself"),
        ({"sbatch": {"time": "1:00"}}, "sbatch has 'time'; the field for it is hours"),
        ({"sbatch": {"array": "1-3"}}, "sbatch has 'array'; the field for it is parallel, for how many at once"),
        ({"nodes": 0}, "Slurm.nodes is int >= 1, not 0"),
        ({"sbatch": {"nodes": "2"}}, "sbatch has 'nodes'; the field for it is nodes"),
        (
            {"sbatch": {"ntasks": "2"}},
            "sbatch has 'ntasks'; the field for it is gpus, for processes of a run, or pack, for trials",
        ),
        (
            {"nodes": 2, "pack": 3},
            "pack is 3 and nodes is 2: trials at once share the GPUs of one node; "
            "one after the other, each on all nodes: in_turn=true",
        ),
        (
            {"gpus": 4, "pack": 3},
            "pack is 3 and gpus is 4, which so many trials at once cannot share evenly; nearest: pack=2; "
            "or one after the other: in_turn=true",
        ),
        (
            {"sbatch": {"clusters": "other"}},
            "sbatch has 'clusters', and squeue would not look for the jobs there; "
            "for all commands of SLURM: export SLURM_CLUSTERS=NAME",
        ),
        ({"sbatch": {"--nice": "3"}}, "sbatch has '--nice', and must have 'nice', without dashes"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_before(fields: dict[str, Any], said: str) -> None:
    with pytest.raises((ValueError, UserError)) as error:
        Slurm(**fields).check()
    assert str(error.value).split("\n")[0] == said


@pytest.mark.parametrize("said", ["Job is pending execution", "Invalid job id specified"])
def test_a_job_that_has_been_requeued_already_is_well(here: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    """A requeue ends every process of the job: the scontrol that asked for it too, which is then typed again."""
    script = f"""#!/bin/sh
echo "$@" >> calls
if [ "$(wc -l < calls)" = 1 ]; then kill -TERM $$; fi
echo "scontrol: error: {said}" >&2
exit 1
"""
    (here / "scontrol").write_text(script)
    (here / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", f"{here}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "7")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    if "pending" in said:
        queue().requeue()
    else:
        with pytest.raises(RunError, match=said):
            queue().requeue()
    assert (here / "calls").read_text() == "requeue 7_0\n" * 2
