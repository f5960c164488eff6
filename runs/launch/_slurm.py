"""Batches of jobs as arrays of a SLURM cluster."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cn import RunError
from cn.errors import lines, short
from runs._meeting import first_node
from runs.launch import _commands, _sbatch
from runs.launch._commands import HangsError
from runs.launch._ended import Alive, accounted, remembered
from runs.launch._local import gpus as visible
from runs.launch._queue import MOST, Here, Job, Jobs, Queue, Why

PENDING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD")
HURRY = 20.0  # s that a job which is told to end may ask why: of 30 until SLURM kills it, where a site leaves KillWait
HELD = ("REQUEUE_HOLD", "SPECIAL_EXIT")
HEADER = "ARRAY_JOB_ID|ARRAY_TASK_ID|STATE|REASON|COMMENT"
ROW = re.compile(r"(\d+)\|([\d,:%-]+)\|(\w+)\|([^|]*)\|(.*)")  # of an array; others may bear the name too
PENDING_ALREADY = "Job is pending execution"  # SLURM's words for a job that is to run again as it is


class SlurmQueue(Queue):
    """Arrays, each of a script that submitit writes."""

    def __init__(
        self,
        *,
        nodes: int,
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
            "nodes": nodes if nodes > 1 else None,
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
        self.nodes = nodes
        self.places = 1 if in_turn else pack
        self.processes = max(1, gpus // self.places)
        self.setup, self.container, self.sbatch = setup, container, sbatch

    def submit(self, jobs: Jobs) -> str:
        return _sbatch.submit(jobs, self.options, container=self.container, setup=self.setup, others=self.sbatch)

    def jobs(self, name: str, folder: Path) -> list[Job]:
        # tasks that wait are one line an array, which costs slurmctld less than a line each
        said = _commands.ask("squeue", "--me", f"--name={name}", "-o", "%F|%K|%T|%r|%k").splitlines()
        if HEADER not in said:  # which comes before the jobs, though there be none
            what = short(" ".join(said)) or "it says nothing"
            raise RunError(lines(f"squeue does not list jobs: {what}", "try again"))
        found: list[Job] = []
        for row in filter(None, map(ROW.fullmatch, said[said.index(HEADER) + 1 :])):
            array, tasks, state, reason, label = row.groups()
            for index in _commands.indices(tasks):
                if state in PENDING:
                    found.append(Job(label, index, array, "pending", reason, held(f"{array}_{index}", state, reason)))
                else:
                    found.append(Job(label, index, array, "running"))
        return found

    def ended(self, numbers: list[str]) -> dict[str, str]:
        arrays = sorted({number.partition("_")[0] for number in numbers}, key=int)
        known: dict[str, str] = {}
        hangs: HangsError | None = None
        try:
            for array in arrays:
                known.update(remembered(array))
        except HangsError as error:  # as it would for each of them
            hangs = error
        for number in numbers:
            if isinstance(state := known.get(number), Alive):
                what = f"squeue does not list {number}, of which scontrol says that it is {state}"
                raise RunError(lines(what, "try again"))
        try:
            for number, why in accounted(arrays).items():
                if number not in known or why.startswith("cancelled by"):
                    known[number] = why
        except HangsError as error:
            hangs = error
        if hangs is not None:
            unknown = f"its job ended, and why is not known: {str(hangs).partition(chr(10))[0]}"
            return {number: known.get(number, unknown) for number in numbers}
        return {number: known[number] for number in numbers if number in known}

    def cancel(self, name: str, folder: Path) -> None:
        if arrays := sorted({job.number for job in self.jobs(name, folder)}):
            _commands.ask("scancel", *arrays)

    def most(self) -> int:
        _commands.needs(*_commands.USED)
        for line in _commands.ask("scontrol", "show", "config").splitlines():
            name, _, value = line.partition("=")
            if name.strip() == "MaxArraySize" and value.strip().isdigit():
                return max(1, min(int(value), MOST))
        raise RunError("scontrol show config names no MaxArraySize")

    def here(self) -> Here:
        return Here(
            index=int(os.environ["SLURM_ARRAY_TASK_ID"]),
            number=_own(),
            host=os.environ.get("SLURMD_NODENAME") or socket.gethostname(),
            restarts=_restarts(),
            node=int(os.environ.get("SLURM_NODEID", "0")),
            first=_first(os.environ),
            environments=self._environments(),
        )

    def _environments(self) -> list[dict[str, str]]:
        """Of the trials at once: each has its part of the GPUs; where they are more than the GPUs, they share one."""
        there = visible()
        if self.places == 1 or len(there) < 2:
            return [{} for _ in range(self.places)]
        parts = [there[place : place + self.processes] for place in range(0, len(there), self.processes)]
        return [{"CUDA_VISIBLE_DEVICES": ",".join(parts[place % len(parts)])} for place in range(self.places)]

    def why(self) -> Why:
        try:
            return meaning(_commands.shown(_own(), most=HURRY)[0], _restarts())
        except (RunError, LookupError, ValueError):  # scontrol does not answer, or says something else
            return "unknown"

    def requeue(self) -> None:
        try:
            _commands.ask("scontrol", "requeue", _own())
        except RunError as error:
            if PENDING_ALREADY not in str(error):  # by SLURM itself, or by a scontrol that the requeue then ended
                raise


def held(number: str, state: str, reason: str) -> str:
    """Who holds a pending job, and how it is released; nothing where nobody does."""
    if reason == "JobHeldAdmin":
        return f"held by an administrator; ask to have released: {number}"
    if "held" in reason.lower() or state in HELD:  # JobHeldUser, job requeued in held state
        return f"held; to release it: scontrol release {number}"
    return ""


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


def _first(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Addresses of the job's first node: as who set up the job wants it, as SLURM itself reached it, or its name."""
    if own := environment.get("MASTER_ADDR"):
        return (own,)
    names = environment.get("SLURM_STEP_NODELIST", "")
    found = (environment.get("SLURM_LAUNCH_NODE_IPADDR", ""), first_node(names))  # srun runs on the first node
    return tuple(dict.fromkeys(name for name in found if name))


def _own() -> str:
    return f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"


def _restarts() -> int:
    return int(os.environ.get("SLURM_RESTART_COUNT", "0"))
