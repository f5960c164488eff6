"""A submission that is killed at any of its steps: typed again, it runs each trial once."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence

import pytest

from tests.sweeps.project import Project, words

# Types a verb in processes of its own, of which the n-th kills itself before its n-th step; then types it again.
DRIVER = '''
import json, os, signal, subprocess, sys, time

from sweeps.__main__ import main

verb, then, name, *words = sys.argv[1:]


def armed(number):
    """Kill this process at its n-th step: before a file gets its name, before and after the queue is asked."""
    left = number

    def stepping(function, *, after=False, only=lambda *a, **k: True):
        def called(*args, **kwargs):
            nonlocal left
            if not only(*args, **kwargs):
                return function(*args, **kwargs)
            step()
            result = function(*args, **kwargs)
            if after:
                step()
            return result
        return called

    def step():
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    os.replace, os.rename = stepping(os.replace), stepping(os.rename)
    os.posix_spawn = stepping(os.posix_spawn, after=True)
    subprocess.Popen.__init__ = stepping(
        subprocess.Popen.__init__, after=True, only=lambda self, command, *a, **k: "sbatch" in command
    )


def typed(number, folder):
    pid = os.fork()
    if pid == 0:
        with open(os.devnull, "w") as sys.stdout:
            if number is not None:
                armed(number)
            os._exit(main([verb, name, f"folder={folder}", *words]))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


statuses, folders = [], []
while not statuses or statuses[-1] == -signal.SIGKILL:
    folders.append(f"outputs/killed_{len(folders)}")
    statuses.append(typed(len(folders) - 1, folders[-1]))
    if then == "at once":
        assert typed(None, folders[-1]) == 0
if then == "later":
    time.sleep(2)
    assert [typed(None, folder) for folder in folders] == [0] * len(folders)
print(json.dumps([statuses, folders]))
'''


def drive(project: Project, verb: str, then: str, name: str, place: Sequence[str]) -> list[str]:
    """The folders of a sweep in which the verb was killed at its first step, at its second, ..., and not at all."""
    project.write("drive.py", DRIVER)
    statuses, folders = json.loads(project.type("drive.py", verb, then, name, *place))
    assert statuses == [-9] * (len(statuses) - 1) + [0]
    assert len(statuses) >= 7  # the sweep, the code, the batch, before and after the queue, its number
    return folders


def all_done(project: Project, folder: str) -> None:
    """Each of three trials has run once, and nothing is left of what was killed."""
    project.wait(folder, lambda reports: [report["state"] for report in reports] == ["done"] * 3)
    trials = project.trials(folder)
    assert [trial["state"] for trial in trials] == ["done"] * 3
    for trial in trials:
        assert ["step" in each for each in project.begun(trial)] == [True, False], folder
    assert not list((project.folder / folder).glob("jobs/.*"))


@pytest.mark.parametrize("then", ["at once", pytest.param("later", marks=pytest.mark.long)])
def test_a_submission_killed_at_any_step_and_typed_again_runs_each_trial_once(
    project: Project, place: Sequence[str], then: str
):
    name = project.sweep("three", "seeds(3)", base="pause=0.1")
    for folder in drive(project, "submit", then, name, place):
        all_done(project, folder)
        assert len(list((project.folder / folder / "jobs").glob("*.jsonl"))) == 1
        assert len(list((project.folder / folder / "code").glob("[!.]*"))) == 1


@pytest.mark.long
def test_a_retry_killed_at_any_step_and_typed_again_runs_each_trial_once(project: Project):
    """The code was mended in between, so that what the first attempt left is put aside."""
    name = project.sweep("three", "seeds(3)", base="pause=0.1")
    door = (project.folder / "train.py").read_text()
    project.write("train.py", "def train(run, job):\n    raise ValueError('not yet')\n")
    folders = [f"outputs/killed_{number}" for number in range(16)]
    each = f"main(['submit', {name!r}, 'folder=' + folder])"
    project.type("-c", f"from sweeps.__main__ import main\nfor folder in {folders}:\n    {each}")
    for folder in folders:
        project.wait(folder, lambda reports: [report["state"] for report in reports] == ["failed"] * 3)
    project.write("train.py", door)
    for folder in drive(project, "retry", "at once", name, words("local", parallel=3)):
        all_done(project, folder)
        assert len(list((project.folder / folder).glob("trials/*/*.1"))) == 3


def test_what_a_killed_submission_left_in_the_queue_can_be_cancelled(project: Project, place: Sequence[str]):
    project.hold.parent.mkdir()
    project.hold.touch()
    name = project.sweep("three", "seeds(3)", base="act='hold', at=1, steps=3")
    known = drive(project, "submit", "never", name, place)[
        -3:-1
    ]  # killed after the queue was asked, and before its number was written
    for folder in known:
        project.until_saved(folder, [1, 1, 1])
        project.sweeps("cancel", folder)
        assert project.over(folder) == {"cancelled": 3}
        statuses = {report["status"] for report in project.reports(folder)}
        assert statuses <= {143, -signal.SIGTERM}  # the second where SIGTERM came again once the loop had ended
