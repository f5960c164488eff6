"""One array of jobs through submitit: a script in the batch's folder, and the number that SLURM gives it."""

from __future__ import annotations

import os
import re
import shlex
import sys
from typing import Any

from cn import RunError, UserError
from cn.errors import hint, lines, short
from runs.launch._commands import USED, FailedError, ask, needs, sentence
from runs.launch._queue import Jobs

# names under which SBATCH_NAME beats the script's own line
ENVIRONMENT = {"time": "TIMELIMIT", "array": "ARRAY_INX", "mem": "MEM_PER_NODE"}
NEVER = ("SBATCH_WAIT", "SBATCH_NO_REQUEUE", "SBATCH_OUTPUT", "SBATCH_ERROR", "SBATCH_WCKEY")

LEFT = 360  # s that the processes of other nodes have after the first that ended: longer than they may seek each other

SCRIPT = "submission.sh"
NUMBER = re.compile(r"^(\d+)(?:;.*)?$", re.MULTILINE)  # 123;CLUSTER, whatever a site's own sbatch says beside it
AGAIN = "try again"
# what is said where an answer of slurmctld's did not come, which may have taken the jobs
LOST = re.compile(
    r"timed out|Unable to contact|Communication \w+ failure|Message \w+ failure|Zero Bytes|Connection re|temporarily"
    r"|Transport endpoint|killed by signal",
    re.IGNORECASE,
)

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
    """The array's number; `options` are sbatch's that submitit knows, `others` are not.

    UserError where SLURM says that it does not take the jobs; RunError where it may have them.
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
            raise RunError(lines(f"sbatch tells no number of a job: {short(said.strip()) or 'it says nothing'}", AGAIN))
        return numbers[-1]
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, FailedError):
            raise refused(error.said, options) from None
        raise


def script(
    jobs: Jobs, options: dict[str, Any], *, container: str | None, setup: list[str], others: dict[str, str]
) -> str:
    """The text that sbatch is given, as submitit writes it."""
    from submitit.slurm.slurm import SlurmExecutor

    array = SlurmExecutor(".")  # its own files, and the patterns in their names, are none of these jobs'
    array.update_parameters(**options, **parameters(jobs, options, setup, others))
    array.parameters["map_count"] = jobs.count  # an array even of one, so that each job knows its index
    return array._make_submission_file_text(command(jobs, container), "")


def parameters(jobs: Jobs, options: dict[str, Any], setup: list[str], others: dict[str, str]) -> dict[str, Any]:
    seconds = options["time"] * 60
    exported = [f"export {name}={shlex.quote(value)}" for name, value in jobs.environment.items()]
    folder = str(jobs.folder.absolute())
    if "\\" in folder:  # by which SLURM takes no pattern of the path as one, and leaves it out
        raise UserError(lines(f"SLURM cannot print to a path with a backslash: {folder}", "another: folder=PATH"))
    output = folder.replace("%", "%%") + "/%a.out"
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
    """In SLURM's own sentence, with what to change; RunError where it may have taken the jobs all the same."""
    if LOST.search(said) or not said:
        return RunError(lines(f"sbatch failed: {sentence(said)}", AGAIN))
    what = f"SLURM did not take the jobs: {sentence(said)}"
    if "partition name" in said:
        try:
            near = hint(options.get("partition", ""), ask("sinfo", "-h", "-o", "%R").split())
        except RunError:  # which is not what was asked for
            near = None
        return UserError(lines(what, near, "to change it: launch.partition=NAME"))
    change = next((told for word, told in CHANGES.items() if word in said), None)
    return UserError(lines(what, f"to change it: {change}" if change else None))
