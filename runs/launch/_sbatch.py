"""One array of jobs through submitit: a script in the batch's folder, and the number that SLURM gives it."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import sys
from typing import Any

from cn import RunError, UserError
from cn.errors import hint, lines
from runs.launch._commands import ask, needs, sentence
from runs.launch._queue import Jobs

# names under which SBATCH_NAME beats the script's own line
ENVIRONMENT = {"time": "TIMELIMIT", "array": "ARRAY_INX", "mem": "MEM_PER_NODE"}
NEVER = ("SBATCH_WAIT", "SBATCH_NO_REQUEUE", "SBATCH_OUTPUT", "SBATCH_ERROR", "SBATCH_WCKEY")

LEFT = 360  # s that the processes of other nodes have after the first that ended: longer than they may seek each other

CHANGES = {  # what SLURM's sentences have in them, and what to do about it
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
    """The array's number; `options` are sbatch's that submitit knows, `others` are not."""
    needs("sbatch")
    from submitit.core.utils import FailedJobError
    from submitit.slurm.slurm import SlurmExecutor

    class Array(SlurmExecutor):
        def _make_submission_command(self, submission_file_path: Any) -> list[str]:
            return ["env", *(f"--unset={name}" for name in hiding(options)), "sbatch", str(submission_file_path)]

        @staticmethod
        def _get_job_id_from_submission_command(string: bytes | str) -> str:
            taken.append(SlurmExecutor._get_job_id_from_submission_command(string))
            return taken[0]

    taken: list[str] = []
    jobs.folder.mkdir(parents=True, exist_ok=True)
    array = Array(jobs.folder)
    array.update_parameters(**options, **parameters(jobs, options, setup, others))
    array.parameters["map_count"] = jobs.count  # an array even of one, so that each job knows its index
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # it prints what it raises
            return array._submit_command(command(jobs, container)).job_id
    except FailedJobError as error:
        raise refused(str(error), options) from None
    except OSError:  # where the disk is full and the script could not be kept, SLURM has the jobs all the same
        if not taken:
            raise
        return taken[0]
    finally:
        for path in jobs.folder.glob(".submission_file_*"):  # a link to the script, or the script that was refused
            path.unlink()


def parameters(jobs: Jobs, options: dict[str, Any], setup: list[str], others: dict[str, str]) -> dict[str, Any]:
    seconds = options["time"] * 60
    exported = [f"export {name}={shlex.quote(value)}" for name, value in jobs.environment.items()]
    output = str(jobs.folder.absolute()).replace("%", "%%") + "/%a.out"
    srun = ["--output", output, "--kill-on-bad-exit=1"]
    if "nodes" in options:  # the others are left as long as they may take to say that one is gone
        srun = ["--output", output, "--kill-on-bad-exit=0", f"--wait={LEFT}"]
    if "cpus_per_task" in options:
        srun.append(f"--cpus-per-task={options['cpus_per_task']}")  # which srun does not take from its job
    return {
        "job_name": jobs.name,
        "comment": jobs.label,
        "array_parallelism": jobs.at_once or jobs.count,
        "dependency": ("afterany:" + ":".join(jobs.after)) if jobs.after else None,
        "signal_delay_s": min(90, seconds // 4),  # SLURM adds up to 30 s, as it looks at limits no more often
        "setup": [*setup, "export SLURM_KILL_BAD_EXIT=1", *exported],
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
    """A line of shell; in a container, Python is the container's own."""
    start = f"{container} python" if container else shlex.quote(sys.executable)
    return f"{start} {shlex.join(jobs.words)}"


def hiding(options: dict[str, Any]) -> list[str]:
    """Variables that would say otherwise than the script does: sbatch lets them win, or hands them to the job."""
    ours = {"job_name", "comment", "array", "dependency", "signal", "open_mode", "requeue", *options}
    names = {f"SBATCH_{ENVIRONMENT.get(name, name.upper())}" for name in ours}
    inside = re.compile(r"SLURM_(?!CONF|JWT|CLUSTERS)|SLURMD_|SRUN_|SUBMITIT_")  # where this process is in a job itself
    names.update(name for name in os.environ if "SLURM_JOB_ID" in os.environ and inside.match(name))
    return sorted(names.union(NEVER).intersection(os.environ))


def refused(said: str, options: dict[str, Any]) -> UserError | RunError:
    """In SLURM's own sentence, with what to change."""
    what = f"SLURM did not take the jobs: {sentence(said)}"
    if "Unable to contact" in said or "timed out" in said:
        return RunError(lines(what, "try again"))
    if "partition name" in said:
        known = ask("sinfo", "-h", "-o", "%R").split()
        return UserError(lines(what, hint(options.get("partition", ""), known), "to change it: launch.partition=NAME"))
    change = next((told for word, told in CHANGES.items() if word in said), None)
    return UserError(lines(what, f"to change it: {change}" if change else None))
