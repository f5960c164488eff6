"""Why jobs of a SLURM cluster ended that left no report."""

from __future__ import annotations

import pwd
import re
import signal

from cn.errors import RunError
from cn.launching import commands

OVER = {
    "OUT_OF_MEMORY": "out of memory: raise launch.memory",
    "TIMEOUT": "time limit: raise launch.hours",
    "NODE_FAIL": "its node failed",
    "PREEMPTED": "preempted, and not queued again",
    "BOOT_FAIL": "its node did not start",
    "DEADLINE": "its deadline passed",
}
ALIVE = ("PENDING", "RUNNING", "SUSPENDED", "CONFIGURING", "STOPPED", "REQUEUE_HOLD", "SPECIAL_EXIT")
CODE = re.compile(r"\d+:\d+")


class Alive(str):
    """The state of a job that has not ended."""


def accounted(arrays: list[str]) -> dict[str, str]:
    """Return why jobs ended, from the accounting database; {} without one. Raises HangsError."""
    try:
        said = commands.ask("sacct", "-nXP", "-j", ",".join(arrays), "-o", "JobID,State,ExitCode,DerivedExitCode")
    except commands.HangsError:
        raise
    except RunError:
        return {}
    found: dict[str, str] = {}
    for line in said.splitlines():
        if len(row := line.split("|")) != 4 or not CODE.fullmatch(row[2]):
            continue
        number, state, code, derived = row
        # sacct shows 9:0 for a shell's 137; the step's 0:9 is unambiguous
        if why := reason(state, code if derived.endswith(":0") else derived):
            array, _, tasks = number.partition("_")
            found.update({f"{array}_{task}": why for task in tasks_of(tasks.strip("[]"))})
    return found


def remembered(array: str) -> dict[str, str]:
    """Return why jobs ended, or that they have not, from slurmctld's memory of some minutes. Raises HangsError."""
    try:
        rows = commands.shown(array)
    except commands.HangsError:
        raise
    except RunError:
        return {}
    found: dict[str, str] = {}
    for row in rows:
        state, code, tasks = (row.get(name, "") for name in ("JobState", "ExitCode", "ArrayTaskId"))
        if state in ALIVE:
            found.update({f"{array}_{task}": Alive(state) for task in tasks_of(tasks)})
        elif CODE.fullmatch(code) and (why := reason(state, code)):
            found.update({f"{array}_{task}": why for task in tasks_of(tasks)})
    return found


def tasks_of(text: str) -> list[int]:
    """Return the task numbers of a row: several if they ended before they began, none if the job is no array."""
    return commands.indices(text) if re.fullmatch(r"\d[\d,:%-]*", text) else []


def reason(state: str, code: str) -> str | None:
    """Translate SLURM's job state; None for a job that is not over."""
    word, _, rest = state.partition(" ")
    if word == "CANCELLED":  # CANCELLED by 1000
        return f"cancelled by {_user(rest[3:])}" if rest else "cancelled"
    if word in ("COMPLETED", "FAILED"):
        status, _, number = code.partition(":")
        killed = int(number) or max(0, int(status) - 128)  # a shell adds 128 to the number of the signal
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
