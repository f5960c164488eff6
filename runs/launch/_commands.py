"""What SLURM's own commands say."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess

from cn import RunError, UserError
from cn.errors import lines

HABITS = re.compile(r"(SQUEUE|SACCT|SINFO|SCANCEL|SCONTROL)_|SLURM_TIME_FORMAT$")  # would change the answers
MEANT_FOR_JOBS = (-signal.SIGTERM, -signal.SIGUSR2)  # which reach every process of a job, and not once only
MORE = 9  # times that a command is typed which such a signal has ended


class AbsentError(RunError):
    """This machine is not part of a SLURM cluster."""


def ask(*words: str) -> str:
    """What a command prints; RunError with SLURM's own sentence where it fails."""
    env = {name: value for name, value in os.environ.items() if not HABITS.match(name)}
    env["SLURM_BITSTR_LEN"] = "0"  # whole lists of array tasks; else the first 64 characters
    try:
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
        for _ in range(MORE):
            if done.returncode not in MEANT_FOR_JOBS:
                break
            done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise AbsentError(absent(words[0])) from None
    if "configuration source" in done.stderr:  # the commands of SLURM without a cluster
        raise AbsentError(absent(words[0]))
    if done.returncode:
        raise RunError(lines(f"{words[0]} failed: {sentence(done.stderr)}", "try again"))
    return done.stdout


def sentence(said: str) -> str:
    """The last of what a command complains of, which says what it amounts to, after what led to it."""
    told = [
        re.sub(r"^\w+: (error: |fatal: )?(?:Batch job submission failed: )?", "", line) for line in said.splitlines()
    ]
    told = [line.strip() for line in told if line.strip() and not line.startswith("Try ")]
    return "; ".join(reversed(told[-2:])) or "it says nothing"


def needs(command: str) -> None:
    """UserError where this machine has no such command."""
    if shutil.which(command) is None:
        raise UserError(absent(command))


def absent(command: str) -> str:
    return lines(f"{command} is not here: this machine is not part of a SLURM cluster", "to run on it: launch=local")


def shown(number: str) -> list[dict[str, str]]:
    """What `scontrol show job` knows of a job, or of each job of an array: for some minutes after its end."""
    rows: list[dict[str, str]] = []
    for line in ask("scontrol", "-o", "show", "job", number).splitlines():
        row: dict[str, str] = {}
        for word in line.split():
            name, _, value = word.partition("=")
            row.setdefault(name, value)  # the first: what a user wrote, such as a comment, comes later
        rows.append(row)
    return rows


def indices(text: str) -> list[int]:
    """The tasks that `0-2,7,10-20:5%4` names."""
    found: list[int] = []
    for part in text.partition("%")[0].split(","):
        span, _, step = part.partition(":")
        first, _, last = span.partition("-")
        found.extend(range(int(first), int(last or first) + 1, int(step or 1)))
    return found
