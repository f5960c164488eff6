"""Submission of one job array through submitit: a script in the batch's folder, and the job number from SLURM."""

from __future__ import annotations

import os
import re
import shlex
import sys
from typing import Any

from cn import lazy
from cn.errors import RunError, UserError, hint, short
from cn.launching.commands import USED, FailedError, ask, needs, sentence
from cn.launching.queue import Jobs

# options whose variable SBATCH_NAME, which overrides the script, has another name
ENVIRONMENT = {"time": "TIMELIMIT", "array": "ARRAY_INX", "mem": "MEM_PER_NODE"}
NEVER = ("SBATCH_WAIT", "SBATCH_NO_REQUEUE", "SBATCH_OUTPUT", "SBATCH_ERROR", "SBATCH_WCKEY")

LEFT = 360  # s; more than the nodes of a job may take to find each other

SCRIPT = "submission.sh"
NUMBER = re.compile(r"^(\d+)(?:;.*)?$", re.MULTILINE)  # 123;CLUSTER; a site's own sbatch may print more lines
AGAIN = "try again"
# slurmctld's answer was lost, so it may have taken the jobs
LOST = re.compile(
    r"timed out|Unable to contact|Communication \w+ failure|Message \w+ failure|Zero Bytes|Connection re|temporarily"
    r"|Transport endpoint|killed by signal",
    re.IGNORECASE,
)

CHANGES = {  # part of SLURM's message -> what to change
    "Invalid account": "launch.account=NAME; yours: sacctmgr show associations user=$USER format=account,partition",
    "Invalid qos": "launch.qos=NAME; those there are: sacctmgr show qos format=name",
    "policy": "submit fewer trials, or again when others are over; the limits: sacctmgr show associations user=$USER",
    "Invalid feature": "launch.constraint=NAME; those there are: sinfo -o %f",
    "node configuration": "launch.gpus, launch.cpus, launch.memory, launch.nodes; there is: sinfo -o '%P %D %G %c %m'",
    "time limit": "launch.hours; what partitions allow: sinfo -o '%P %l'",
    "unrecognized option": "launch.sbatch, whose names are the long ones of `man sbatch`",
}


def submit(
    jobs: Jobs, options: dict[str, Any], *, container: str | None, setup: list[str], others: dict[str, str]
) -> str:
    """Submit the array and return its number; `options` are sbatch options known to submitit, `others` are not.

    Raises UserError if SLURM rejects the jobs, RunError if it may have taken them.
    """
    needs(*USED)
    jobs.folder.mkdir(parents=True, exist_ok=True)
    path = jobs.folder.absolute() / SCRIPT
    try:
        path.write_bytes(os.fsencode(script(jobs, options, container=container, setup=setup, others=others)))
        hidden = hiding(options)
        env = {name: value for name, value in os.environ.items() if name not in hidden}
        said = ask("sbatch", "--parsable", str(path), env=env)
        numbers = NUMBER.findall(said)
        if not numbers:
            raise RunError(f"sbatch tells no number of a job: {short(said.strip()) or 'it says nothing'}", AGAIN)
        return numbers[-1]
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, FailedError):
            raise refused(error.said, options) from None
        raise


def script(
    jobs: Jobs, options: dict[str, Any], *, container: str | None, setup: list[str], others: dict[str, str]
) -> str:
    """Return the sbatch script, written by submitit."""
    lazy.needs("launch=slurm", "submitit")
    from submitit.slurm.slurm import SlurmExecutor

    array = SlurmExecutor(".")  # submitit's own folder is not used
    array.update_parameters(**options, **parameters(jobs, options, setup, others))
    array.parameters["map_count"] = jobs.count  # an array even for one job, so that the job knows its index
    return array._make_submission_file_text(command(jobs, container), "")


def parameters(jobs: Jobs, options: dict[str, Any], setup: list[str], others: dict[str, str]) -> dict[str, Any]:
    seconds = options["time"] * 60
    exported = [f"export {name}={shlex.quote(value)}" for name, value in jobs.environment.items()]
    folder = str(jobs.folder.absolute())
    if "\\" in folder:  # SLURM then expands no pattern in the path, and drops the backslash
        raise UserError(f"SLURM cannot print to a path with a backslash: {folder}", "another: folder=PATH")
    output = folder.replace("%", "%%") + "/%a.out"
    srun = ["--output", output, "--kill-on-bad-exit=1"]
    if "nodes" in options:  # the other nodes need time to report that one is gone
        srun = ["--output", output, "--kill-on-bad-exit=0", f"--wait={LEFT}"]
    if "cpus_per_task" in options:
        srun.append(f"--cpus-per-task={options['cpus_per_task']}")  # srun does not inherit it from the job
    return {
        "job_name": jobs.name,
        "comment": jobs.label,
        "array_parallelism": jobs.at_once or jobs.count,
        "dependency": ("afterany:" + ":".join(jobs.after)) if jobs.after else None,
        "signal_delay_s": min(90, seconds // 4),  # SLURM checks limits only every 30 s
        # SBATCH_EXPORT=NONE of a site would have srun hand on none of these variables
        "setup": [*setup, "export SLURM_KILL_BAD_EXIT=1 SLURM_EXPORT_ENV=ALL", *exported],
        "stderr_to_stdout": True,
        "srun_args": srun,
        "wckey": None,
        "additional_parameters": {
            "requeue": True,
            "output": output,
            **{name.replace("_", "-"): value or True for name, value in others.items()},
        },
    }


def command(jobs: Jobs, container: str | None) -> str:
    """Return the shell command of a job; a container has its own Python."""
    start = f"{container} python" if container else shlex.quote(sys.executable)
    return f"{start} {shlex.join(jobs.words)}"


def hiding(options: dict[str, Any]) -> list[str]:
    """Return environment variables that would override the script's options or leak into the job."""
    ours = {"job_name", "comment", "array", "dependency", "signal", "open_mode", "requeue", *options}
    names = {f"SBATCH_{ENVIRONMENT.get(name, name.upper())}" for name in ours}
    inside = re.compile(r"SLURM_(?!CONF|JWT|CLUSTERS)|SLURMD_|SRUN_|SUBMITIT_")  # set if this process runs inside a job
    names.update(name for name in os.environ if "SLURM_JOB_ID" in os.environ and inside.match(name))
    return sorted(names.union(NEVER).intersection(os.environ))


def refused(said: str, options: dict[str, Any]) -> UserError | RunError:
    """Return the error with SLURM's own sentence and what to change; RunError if it may have taken the jobs."""
    if LOST.search(said) or not said:
        return RunError(f"sbatch failed: {sentence(said)}", AGAIN)
    what = f"SLURM did not take the jobs: {sentence(said)}"
    if "partition name" in said:
        try:
            near = hint(options.get("partition", ""), ask("sinfo", "-h", "-o", "%R").split())
        except RunError:  # the hint is optional
            near = None
        return UserError(what, near, "to change it: launch.partition=NAME")
    change = next((told for word, told in CHANGES.items() if word in said), None)
    return UserError(what, f"to change it: {change}" if change else None)
