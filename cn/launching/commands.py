"""Calls of SLURM's commands, each with a time limit."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

from cn.errors import RunError, UserError, lines, short
from cn.screen import say

HABITS = re.compile(r"(SQUEUE|SACCT|SINFO|SCANCEL|SCONTROL)_|SLURM_TIME_FORMAT$")  # these change the answers
NO_CLUSTER = lines("{} is not here: this machine is not part of a SLURM cluster", "to run on it: launch=local")
MEANT_FOR_JOBS = (-signal.SIGTERM, -signal.SIGUSR2)  # sent to every process of a job, possibly more than once
MORE = 9  # retries of a command that such a signal killed
LONGER = "CN_SLURM_SECONDS"  # environment variable: time limit of a command
SECONDS = 60.0  # default time limit of a command
RETRYING = 4  # factor for sbatch and scancel, which themselves retry for two minutes
NOTED = 10.0  # s after which a notice about a slow command is printed
USED = ("sbatch", "srun", "squeue", "scontrol", "scancel")  # commands that a sweep needs; sacct and sinfo only explain


class AbsentError(RunError):
    """This machine is not part of a SLURM cluster."""


class FailedError(RunError):
    """A command exited with a failure."""

    def __init__(self, command: str, said: str) -> None:
        super().__init__(lines(f"{command} failed: {sentence(said)}", "try again"))
        self.said = said


class HangsError(RunError):
    """A command exceeded its time limit and was killed."""


def ask(*words: str, most: float | None = None, env: Mapping[str, str] | None = None) -> str:
    """Return the output of a command; RunError with SLURM's own sentence if it fails, HangsError at the time limit.

    most: time limit in seconds. env: environment; by default this process's, without variables that change the output.
    """
    if env is None:
        env = {name: value for name, value in os.environ.items() if not HABITS.match(name)}
        env["SLURM_BITSTR_LEN"] = "0"  # print whole lists of array tasks, not only the first 64 characters
    most = seconds(words[0]) if most is None else most
    try:
        done = _run(words, env, most)
        for _ in range(MORE):
            if done.returncode not in MEANT_FOR_JOBS or words[0] == "sbatch":  # sbatch may have queued the jobs
                break
            done = _run(words, env, most)
    except FileNotFoundError:
        raise absent(words[0]) from None
    if "configuration source" in done.stderr:  # SLURM's commands are installed, but there is no cluster
        raise AbsentError(NO_CLUSTER.format(words[0]))
    if done.returncode:
        killed = f"killed by signal {-done.returncode}" if done.returncode < 0 else ""
        raise FailedError(words[0], done.stderr.strip() or killed)
    return done.stdout


def seconds(command: str) -> float:
    """Return the time limit of a command; UserError if the variable is not a number of seconds."""
    told = os.environ.get(LONGER, "")
    try:
        most = float(told or SECONDS)
    except ValueError:
        most = 0.0
    if not 0 < most < threading.TIMEOUT_MAX:
        what = f"{LONGER}={short(told)!r} is no number of seconds above 0"
        raise UserError(what, f"write: export {LONGER}={SECONDS:g}")
    return most * RETRYING if command in ("sbatch", "scancel") else most


def _run(words: Sequence[str], env: Mapping[str, str], most: float) -> subprocess.CompletedProcess[str]:
    """Run a command; at the time limit, kill it and all processes that it started."""
    with subprocess.Popen(
        words,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            out, error = _answer(process, words[0], most)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its subprocesses hold the pipes too
            raise
    return subprocess.CompletedProcess(words, process.returncode, out, error)


def _answer(process: subprocess.Popen[str], name: str, most: float) -> tuple[str, str]:
    """Return the output; print a notice about a slow command, and raise HangsError at the time limit."""
    try:
        return process.communicate(timeout=min(NOTED, most))
    except subprocess.TimeoutExpired:
        if most > NOTED:
            say(f"{name} has not answered for {NOTED:g} s, and is waited for {most:g} s at most", error=True)
    try:
        return process.communicate(timeout=max(0.0, most - NOTED))
    except subprocess.TimeoutExpired:
        what = f"{name} has not answered in {most:g} s, and was killed"
        raise HangsError(what, f"to wait longer: export {LONGER}={4 * SECONDS:g}") from None


def sentence(said: str) -> str:
    """Return the end of a command's error message, which has the conclusion, then the line before it."""
    told = [
        re.sub(r"^\w+: (error: |fatal: )?(?:Batch job submission failed: )?", "", line) for line in said.splitlines()
    ]
    told = [line.strip() for line in told if line.strip() and not line.startswith("Try ")]
    return "; ".join(reversed(told[-2:])) or "it says nothing"


def needs(*commands: str) -> None:
    """Raise UserError if one of these commands is not on PATH."""
    from shutil import which  # only here, since it imports bz2 and lzma

    for command in commands:
        if which(command) is None:
            raise UserError(str(absent(command)))


def absent(command: str) -> RunError:
    """Return the error for a missing command; if other SLURM commands exist, the machine is part of a cluster."""
    from shutil import which

    there = next(filter(None, map(which, USED)), None)
    if there is None:
        return AbsentError(NO_CLUSTER.format(command))
    what = f"{command} is not on PATH, though {there} is there: a sweep needs {', '.join(USED)}"
    return RunError(
        what, f"to see what is there: ls {shlex.quote(os.path.dirname(there))}", "to run on this machine: launch=local"
    )


def shown(number: str, *, most: float | None = None) -> list[dict[str, str]]:
    """Return what `scontrol show job` prints of a job, or of each job of an array; SLURM keeps it for some minutes."""
    rows: list[dict[str, str]] = []
    for line in ask("scontrol", "-o", "show", "job", number, most=most).splitlines():
        row: dict[str, str] = {}
        for word in line.split():
            name, _, value = word.partition("=")
            row.setdefault(name, value)  # keep the first value: user text, such as a comment, comes later
        rows.append(row)
    return rows


def indices(text: str) -> list[int]:
    """Return the task numbers of a list such as `0-2,7,10-20:5%4`."""
    found: list[int] = []
    for part in text.partition("%")[0].split(","):
        span, _, step = part.partition(":")
        first, _, last = span.partition("-")
        found.extend(range(int(first), int(last or first) + 1, int(step or 1)))
    return found
