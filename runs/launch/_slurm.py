"""Batches of jobs as arrays of a SLURM cluster."""

from __future__ import annotations

import os
import pwd
import signal
import socket
from pathlib import Path
from typing import Any

from cn import RunError
from runs.launch import _commands, _sbatch
from runs.launch._queue import MOST, Here, Job, Jobs, Queue, Why

PENDING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD")
OVER = {
    "OUT_OF_MEMORY": "out of memory: raise launch.memory",
    "TIMEOUT": "time limit: raise launch.hours",
    "NODE_FAIL": "its node failed",
    "PREEMPTED": "preempted, and not queued again",
    "BOOT_FAIL": "its node did not start",
    "DEADLINE": "its deadline passed",
}


class SlurmQueue(Queue):
    """Arrays, each of a script that submitit writes."""

    def __init__(
        self,
        *,
        gpus: int,
        cpus: int | None,
        memory: int | None,
        minutes: int,
        parallel: int | None,
        pack: int,
        in_turn: bool,
        partition: str | None,
        account: str | None,
        qos: str | None,
        constraint: str | None,
        setup: list[str],
        container: str | None,
        sbatch: dict[str, str],
    ) -> None:
        options: dict[str, Any] = {
            "gpus_per_node": gpus or None,
            "cpus_per_task": cpus,
            "mem": f"{memory}G" if memory else None,
            "time": minutes,
            "partition": partition,
            "account": account,
            "qos": qos,
            "constraint": constraint,
        }
        self.options = {name: value for name, value in options.items() if value is not None}
        self.parallel, self.pack, self.in_turn = parallel, pack, in_turn
        self.setup, self.container, self.sbatch = setup, container, sbatch

    def submit(self, jobs: Jobs) -> str:
        return _sbatch.submit(jobs, self.options, container=self.container, setup=self.setup, others=self.sbatch)

    def jobs(self, name: str, folder: Path) -> list[Job]:
        # tasks that wait are one line an array, which costs slurmctld less than a line each
        said = _commands.ask("squeue", "--me", f"--name={name}", "-h", "-o", "%F|%K|%T|%r|%k")
        found: list[Job] = []
        for line in said.splitlines():
            array, tasks, state, reason, label = line.split("|", 4)
            for index in _commands.indices(tasks):
                if state in PENDING:
                    found.append(Job(label, index, array, "pending", reason))
                else:
                    found.append(Job(label, index, array, "running"))
        return found

    def ended(self, numbers: list[str]) -> dict[str, str]:
        arrays = sorted({number.partition("_")[0] for number in numbers}, key=int)
        known: dict[str, str] = {}
        for array in arrays:
            known.update(remembered(array))
        for number, why in accounted(arrays).items():
            if number not in known or why.startswith("cancelled by"):
                known[number] = why
        return {number: known[number] for number in numbers if number in known}

    def cancel(self, name: str, folder: Path) -> None:
        if arrays := sorted({job.number for job in self.jobs(name, folder)}):
            _commands.ask("scancel", *arrays)

    def most(self) -> int:
        for line in _commands.ask("scontrol", "show", "config").splitlines():
            name, _, value = line.partition("=")
            if name.strip() == "MaxArraySize":
                return max(1, min(int(value), MOST))
        raise RunError("scontrol show config names no MaxArraySize")

    def here(self) -> Here:
        return Here(
            index=int(os.environ["SLURM_ARRAY_TASK_ID"]),
            number=_own(),
            host=os.environ.get("SLURMD_NODENAME") or socket.gethostname(),
            restarts=_restarts(),
            environments=[{} for _ in range(1 if self.in_turn else self.pack)],  # which share its GPUs
        )

    def why(self) -> Why:
        try:
            return meaning(_commands.shown(_own())[0], _restarts())
        except RunError:  # scontrol itself has tried for some seconds
            return "unknown"

    def requeue(self) -> None:
        _commands.ask("scontrol", "requeue", _own())


def meaning(row: dict[str, str], restarts: int) -> Why:
    """Of a SIGTERM, from what `scontrol show job` says right after it."""
    state = row["JobState"]
    if int(row["Restarts"]) > restarts:
        return "requeued"
    if row["Reason"] == "TimeLimit":
        return "time"
    if row.get("PreemptTime", "None")[:1].isdigit():
        return "preempted"
    return "cancelled" if state in ("COMPLETING", "CANCELLED") else "unknown"


def accounted(arrays: list[str]) -> dict[str, str]:
    """Why jobs ended, as the database has it; nothing where there is none."""
    try:
        said = _commands.ask("sacct", "-nXP", "-j", ",".join(arrays), "-o", "JobID,State,ExitCode,DerivedExitCode")
    except RunError:
        return {}
    found: dict[str, str] = {}
    for line in said.splitlines():
        number, state, code, derived = line.split("|")
        # sacct takes 128 from a shell's 137 and shows 9:0; that of the step, 0:9, can be told from an exit status
        if why := reason(state, code if derived.endswith(":0") else derived):
            array, _, tasks = number.partition("_")
            found.update({f"{array}_{task}": why for task in tasks_of(tasks.strip("[]"))})
    return found


def remembered(array: str) -> dict[str, str]:
    """Why jobs ended, as slurmctld has it for some minutes; nothing where it has forgotten them."""
    try:
        rows = _commands.shown(array)
    except RunError:
        return {}
    found: dict[str, str] = {}
    for row in rows:
        if why := reason(row["JobState"], row["ExitCode"]):
            found.update({f"{array}_{task}": why for task in tasks_of(row.get("ArrayTaskId", ""))})
    return found


def tasks_of(text: str) -> list[int]:
    """Several, where they ended before they began; none of a job that is no array."""
    return _commands.indices(text) if text[:1].isdigit() else []


def reason(state: str, code: str) -> str | None:
    """From SLURM's words; None for a job that is not over."""
    word, _, rest = state.partition(" ")
    if word == "CANCELLED":  # CANCELLED by 1000
        return f"cancelled by {_user(rest[3:])}" if rest else "cancelled"
    if word in ("COMPLETED", "FAILED"):
        status, _, number = code.partition(":")
        killed = int(number) or max(0, int(status) - 128)  # a shell adds 128 to the signal that killed its command
        return f"killed by {_signal(killed)}" if killed else f"it ended by itself, with exit status {status}"
    return OVER.get(word)


def _user(number: str) -> str:
    try:
        return pwd.getpwuid(int(number)).pw_name
    except (KeyError, ValueError):
        return number


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _own() -> str:
    return f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"


def _restarts() -> int:
    return int(os.environ.get("SLURM_RESTART_COUNT", "0"))
