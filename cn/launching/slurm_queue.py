"""Batches of jobs as job arrays of a SLURM cluster."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cn.errors import RunError, short
from cn.launching import commands, sbatch
from cn.launching.commands import HangsError
from cn.launching.ended import Alive, accounted, remembered
from cn.launching.local_queue import gpus as visible
from cn.launching.queue import MOST, Here, Job, Jobs, Queue, Why
from cn.launching.ranks import first_node

PENDING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD")
HURRY = 20.0  # s for a stopped job to ask why; SLURM kills it 30 s after the signal (KillWait's default)
HELD = ("REQUEUE_HOLD", "SPECIAL_EXIT")
HEADER = "ARRAY_JOB_ID|ARRAY_TASK_ID|STATE|REASON|COMMENT"
ROW = re.compile(r"(\d+)\|([\d,:%-]+)\|(\w+)\|([^|]*)\|(.*)")  # a row of an array; other jobs may have the same name
PENDING_ALREADY = "Job is pending execution"  # SLURM's message for a job that is requeued already


class SlurmQueue(Queue):
    """Job arrays; submitit writes their scripts."""

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
        return sbatch.submit(jobs, self.options, container=self.container, setup=self.setup, others=self.sbatch)

    def jobs(self, name: str, folder: Path) -> list[Job]:
        # pending tasks share one line per array, which is cheaper for slurmctld
        # --all: without it, jobs in a partition that is hidden are not listed, not even the user's own
        said = commands.ask("squeue", "--all", "--me", f"--name={name}", "-o", "%F|%K|%T|%r|%k").splitlines()
        if HEADER not in said:  # squeue always prints the header
            what = short(" ".join(said)) or "it says nothing"
            raise RunError(f"squeue does not list jobs: {what}", "try again")
        found: list[Job] = []
        for row in filter(None, map(ROW.fullmatch, said[said.index(HEADER) + 1 :])):
            array, tasks, state, reason, label = row.groups()
            for index in commands.indices(tasks):
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
        except HangsError as error:  # it would hang for each array
            hangs = error
        for number in numbers:
            if isinstance(state := known.get(number), Alive):
                what = f"squeue does not list {number}, of which scontrol says that it is {state}"
                raise RunError(what, "try again")
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
            commands.ask("scancel", *arrays)

    def most(self) -> int:
        commands.needs(*commands.USED)
        for line in commands.ask("scontrol", "show", "config").splitlines():
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
        """Return the environment of each concurrent trial: the GPUs are divided, or shared if there are more trials."""
        there = visible()
        if self.places == 1 or len(there) < 2:
            return [{} for _ in range(self.places)]
        parts = [there[place : place + self.processes] for place in range(0, len(there), self.processes)]
        return [{"CUDA_VISIBLE_DEVICES": ",".join(parts[place % len(parts)])} for place in range(self.places)]

    def why(self) -> Why:
        try:
            return meaning(commands.shown(_own(), most=HURRY)[0], _restarts())
        except (RunError, LookupError, ValueError):  # scontrol does not answer, or prints something unexpected
            return "unknown"

    def requeue(self) -> None:
        try:
            commands.ask("scontrol", "requeue", _own())
        except RunError as error:
            if PENDING_ALREADY not in str(error):  # by SLURM itself, or by a scontrol that the requeue interrupted
                raise


def held(number: str, state: str, reason: str) -> str:
    """Return who holds a pending job and how to release it; "" if nobody does."""
    if reason == "JobHeldAdmin":
        return f"held by an administrator; ask to have released: {number}"
    if "held" in reason.lower() or state in HELD:  # JobHeldUser, job requeued in held state
        return f"held; to release it: scontrol release {number}"
    return ""


def meaning(row: dict[str, str], restarts: int) -> Why:
    """Return the reason of a SIGTERM, from `scontrol show job` right after it."""
    state = row["JobState"]
    if int(row["Restarts"]) > restarts:
        return "requeued"
    if row["Reason"] == "TimeLimit":
        return "time"
    if row.get("PreemptTime", "None")[:1].isdigit():
        return "preempted"
    return "cancelled" if state in ("COMPLETING", "CANCELLED") else "unknown"


def _first(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return addresses of the job's first node: MASTER_ADDR if set, else SLURM's address and the node's name."""
    if own := environment.get("MASTER_ADDR"):
        return (own,)
    names = environment.get("SLURM_STEP_NODELIST", "")
    found = (environment.get("SLURM_LAUNCH_NODE_IPADDR", ""), first_node(names))  # srun runs on the first node
    return tuple(dict.fromkeys(name for name in found if name))


def _own() -> str:
    return f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"


def _restarts() -> int:
    return int(os.environ.get("SLURM_RESTART_COUNT", "0"))
