"""Why jobs of a SLURM cluster ended, which never said so themselves."""

from __future__ import annotations

import pwd
import re
import signal

from cn import RunError
from runs.launch import _commands

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
    """Why jobs ended, as the database has it; nothing where there is none. Raises HangsError."""
    try:
        said = _commands.ask("sacct", "-nXP", "-j", ",".join(arrays), "-o", "JobID,State,ExitCode,DerivedExitCode")
    except _commands.HangsError:
        raise
    except RunError:
        return {}
    found: dict[str, str] = {}
    for line in said.splitlines():
        if len(row := line.split("|")) != 4 or not CODE.fullmatch(row[2]):
            continue
        number, state, code, derived = row
        # sacct takes 128 from a shell's 137 and shows 9:0; that of the step, 0:9, can be told from an exit status
        if why := reason(state, code if derived.endswith(":0") else derived):
            array, _, tasks = number.partition("_")
            found.update({f"{array}_{task}": why for task in tasks_of(tasks.strip("[]"))})
    return found


def remembered(array: str) -> dict[str, str]:
    """Why jobs ended, or that they have not, as slurmctld has it for some minutes. Raises HangsError."""
    try:
        rows = _commands.shown(array)
    except _commands.HangsError:
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
    """Several, where they ended before they began; none of a job that is no array."""
    return _commands.indices(text) if re.fullmatch(r"\d[\d,:%-]*", text) else []


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
