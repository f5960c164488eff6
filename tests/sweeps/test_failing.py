"""Trials that fail in every way there is: each is told with its reason, and can be run again."""

from __future__ import annotations

import os
import re
import shlex
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.sweeps.project import Project, masked, words

WAYS = "points([{'act': 'raise'}, {'act': 'exit'}, {'act': 'kill'}, {'act': 'hold'}, {'value': 0.9}])"


def by_act(trials: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {trial["words"][0].removeprefix("act="): trial for trial in trials}


def is_alive(pid: int) -> bool:
    """Not ended, whether or not somebody has asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # the second where it ends while it is read
        return False


def supervisor(pid: int) -> int:
    """The process that started a trial's."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_trial_that_fails_is_told_with_its_reason_and_goes_on_from_its_last_step(
    project: Project, place: Sequence[str]
):
    name = project.sweep("ways", WAYS, base="steps=4, at=2")
    project.hold.parent.mkdir()
    project.hold.touch()
    project.sweeps("submit", name, *place)
    project.until_saved("outputs/sweeps/ways", [2, 2, 2, 2, 4])
    project.until(name, lambda counts: counts == {"failed": 3, "running": 1, "done": 1})
    trials = by_act(project.trials(name))
    killed = project.begun(trials["hold"])[0]["pid"]
    os.kill(killed, signal.SIGKILL)
    project.hold.unlink()
    assert project.over(name) == {"failed": 4, "done": 1}

    trials = by_act(project.trials(name))
    kernel = "killed by SIGKILL, as the kernel does where memory runs out"
    assert {act: (trial["reason"], trial["status"]) for act, trial in trials.items()} == {
        "raise": ("ZeroDivisionError: no number is divided by 0", 1),
        "exit": ("ended without a result, with exit status 3", 3),
        "kill": (kernel, -9),
        "hold": (kernel, -9),
        "value=0.9": (None, 0),
    }
    assert trials["kill"]["log"][-1] == "is about to kill"
    assert trials["raise"]["log"][-1] == "ZeroDivisionError: no number is divided by 0"

    project.sweeps("retry", name, *place)
    assert project.over(name) == {"failed": 3, "done": 2}
    for act, trial in by_act(project.trials(name)).items():
        steps = [each["step"] for each in project.begun(trial) if "step" in each]
        assert steps == ([0] if act == "value=0.9" else [0, 2]), act
        assert trial["attempt"] == len(steps)


@pytest.mark.parametrize("where", ["local", "slurm"])
def test_trials_that_fail_alike_stop_the_rest_until_the_code_is_mended(
    project: Project, request: pytest.FixtureRequest, where: str
):
    if where == "slurm":
        request.getfixturevalue(where)
    name = project.sweep("alike", "seeds(6)", base="act='raise', at=1, steps=2")
    project.sweeps("submit", name, *words(where, parallel=1))
    assert project.over(name) == {"failed": 3, "stopped": 3}
    assert not any(project.begun(trial) for trial in project.trials(name) if trial["state"] == "stopped")
    said = project.sweeps("status", name)
    why = "ZeroDivisionError: no number is divided by 0"
    assert [line.split(None, 2)[2] for line in said.splitlines()[5:8]] == [
        f"seed={seed}: 3 others failed: {why}" for seed in (3, 4, 5)
    ]
    assert (
        "\n\n3 failed, 3 stopped\n"
        f"no other trial is started: 3 failed with: {why}\n"
        f"  when it is mended: python -m sweeps retry alike launch={where} launch.parallel=1\n"
        "\n"
        "the last lines of "
    ) in said

    door = (project.folder / "train.py").read_text()
    project.write("train.py", door.replace('raise ZeroDivisionError("no number is divided by 0")', "pass"))
    assert masked(project.sweeps("retry", name, *words(where))) == (
        "queued 6 trials: JOB\n  see: python -m sweeps status alike\n"
    )
    assert project.over(name) == {"done": 6}
    trials = project.trials(name)
    for trial in trials:  # other code begins anew
        assert [each["step"] for each in project.begun(trial) if "step" in each] == [0]
    aside = {path.name for path in (project.folder / "outputs/sweeps/alike").glob("trials/*/*.1")}
    assert len(aside) == 3
    assert aside < {f"{trial['id']}.1" for trial in trials}


@pytest.mark.parametrize("where", ["local", "slurm", "slurm_accounting"])
def test_when_the_job_itself_is_killed_its_trials_end_and_are_told_as_failed(
    project: Project, request: pytest.FixtureRequest, where: str
):
    typed = words("local", parallel=2)
    if where != "local":
        request.getfixturevalue(where)
        typed = words("slurm", pack=2)
    name = project.sweep("two", "seeds(2)", base="act='hold', at=1, steps=3")
    folder = project.folder / "outputs/sweeps/two"
    project.hold.parent.mkdir()
    project.hold.touch()
    project.sweeps("submit", name, *typed)
    project.wait("outputs/sweeps/two", lambda _: len(list(folder.glob("trials/*/*/last.pt"))) == 2)
    pids = [project.begun(trial)[0]["pid"] for trial in project.trials(name)]
    (job,) = {supervisor(pid) for pid in pids}
    os.kill(job, signal.SIGKILL)
    assert project.over(name) == {"failed": 2}
    project.wait_for(lambda: not any(map(is_alive, pids)))  # the kernel ends a process a little after it is killed
    reasons = {trial["reason"] for trial in project.trials(name)}
    assert reasons == {"its job ended without a word" if where == "local" else "killed by SIGKILL"}

    project.hold.unlink()
    project.sweeps("retry", name, *typed)
    assert project.over(name) == {"done": 2}
    for trial in project.trials(name):
        first, again, _ = project.begun(trial)
        assert (first["step"], again["step"] > 0) == (0, True)


def test_a_trial_that_ends_without_printing_is_told_so(project: Project):
    name = project.sweep("silent", "seeds(1)")
    project.write("train.py", "import os\n\n\ndef train(run, job):\n    os._exit(7)\n")
    project.sweeps("submit", name)
    assert project.over(name) == {"failed": 1}
    assert masked(project.sweeps("status", name)).endswith(
        "\n1 failed\n\n"
        "the last lines of ID________, which failed: ended without a result, with exit status 7\n"
        "  (it printed nothing)\n"
    )


def test_a_job_that_cannot_even_begin_shows_what_it_printed_itself(project: Project, slurm: object):
    name = project.sweep("early", "seeds(3)")
    setup = "launch.setup=['[ $SLURM_ARRAY_TASK_ID = 0 ] || { echo of job $SLURM_ARRAY_TASK_ID; exit 5; }']"
    project.sweeps("submit", name, "launch=slurm", setup)
    assert project.over(name) == {"done": 1, "failed": 2}
    _, _, last = sorted(project.trials(name), key=lambda trial: trial["words"])
    assert last["reason"] == "it ended by itself, with exit status 5"
    said = project.sweeps("logs", name, last["id"])
    assert re.fullmatch(rf"{last['id']} failed: seed=2\n\S+\n\n+\S+/2.out\nof job 2\n", said)
    assert last["log"] == ["of job 2"]
    assert re.search(r"^\w+ failed: seed=(.)\n(.*\n)+of job \1\n$", project.sweeps("logs", name))


def test_a_trial_that_fails_with_a_long_message_ends(project: Project):
    name = project.sweep("long", "seeds(2)")
    project.write("train.py", "def train(run, job):\n    raise ValueError('first\\nsecond' + 'x' * 100_000)\n")
    project.sweeps("submit", name)
    assert project.over(name) == {"failed": 2}
    said = masked(project.sweeps("status", name))
    assert "\n\nthe last lines of ID________, which failed: ValueError: first\n" in said


def test_what_a_trial_leaves_behind_ends_with_it(project: Project):
    name = project.sweep("workers", "seeds(2)")
    starts = "print(subprocess.Popen(['sleep', '1000']).pid)"
    project.write("train.py", f"import subprocess\n\n\ndef train(run, job):\n    {starts}\n    return 0.5\n")
    project.sweeps("submit", name)
    assert project.over(name) == {"done": 2}
    left = [int((project.folder / trial["folder"] / "output.txt").read_text()) for trial in project.trials(name)]
    assert len(set(left)) == 2
    project.wait_for(lambda: not any(map(is_alive, left)))


def test_trials_that_diverge_stop_no_other(project: Project):
    name = project.sweep("high", "seeds(5)", base="act='diverge'")
    project.sweeps("submit", name)
    assert project.over(name) == {"failed": 5}
    assert {trial["reason"] for trial in project.trials(name)} == {"the loss is nan in the steps up to 1"}


HIGH = """
from models.mlp import Mlp
from runs import Run
from runs.default import Default
from runs.optim.sgd import Sgd
from sweeps import Axes, Sweep, seeds


class High(Sweep):
    '''Which seed survives?'''

    base: Run = Default(model=Mlp(hidden_sizes=(8,)), optim=Sgd(lr=1e30), gpu=-1, epochs=2)
    axes: Axes = seeds(1)
"""


def test_processes_that_diverge_stop_no_other(real: Project):
    real.write("sweeps/high.py", HIGH)
    real.sweeps("submit", "high", "launch.processes=2", "give_up=1")
    assert real.over("high") == {"failed": 1}
    assert real.only("high")["reason"].startswith("the loss is ")
    assert not (real.folder / "outputs/sweeps/high/stop.json").exists()


def test_what_is_added_while_trials_fail_alike_is_refused_unless_it_may_fail(project: Project):
    name = project.sweep("alike", "seeds(4)", base="act='raise'")
    place = words("local", parallel=1)
    project.sweeps("submit", name, *place)
    assert project.over(name) == {"failed": 3, "stopped": 1}
    more = "axes.points=[{seed: 8}, {seed: 9}]"
    assert project.sweeps("submit", name, *place, more, status=2) == (
        "no trial would start: 3 failed with: ZeroDivisionError: no number is divided by 0\n"
        f"  if it is mended elsewhere than in the code: python -m sweeps retry alike {shlex.join([*place, more])}\n"
        f"  to start others all the same: python -m sweeps submit alike {shlex.join([*place, more])} give_up=null\n"
    )
    assert len(project.trials(name)) == 4
    assert "no other trial is started" in project.sweeps("status", name)
    project.sweeps("submit", name, *place, more, "give_up=null")
    assert project.over(name) == {"failed": 5, "stopped": 1}
    assert "no other trial is started" not in project.sweeps("status", name)


def test_a_sweep_may_never_give_up(project: Project):
    name = project.sweep("stubborn", "seeds(5)", base="act='raise'")
    project.sweeps("submit", name, "give_up=null")
    assert project.over(name) == {"failed": 5}


def test_what_failed_on_the_cluster_goes_on_here(project: Project, slurm: object):
    name = project.sweep("moved", "seeds(2)", base="act='kill', at=2, steps=4")
    project.sweeps("submit", name, *words("slurm"))
    assert project.over(name) == {"failed": 2}
    project.sweeps("retry", name, *words("local"))
    assert project.over(name) == {"failed": 2}
    for trial in project.trials(name):
        assert [each["step"] for each in project.begun(trial)] == [0, 2]
        assert trial["job"].isdigit()


def test_mended_code_is_not_stopped_by_what_failed_before(project: Project):
    name = project.sweep("mended", "seeds(4)", base="act='raise'")
    project.sweeps("submit", name, "launch.parallel=1")
    assert project.over(name) == {"failed": 3, "stopped": 1}
    door = (project.folder / "train.py").read_text()
    project.write("train.py", door.replace('raise ZeroDivisionError("no number is divided by 0")', "pass"))
    project.sweep("mended", "seeds(6)", base="act='raise'")
    project.sweeps("submit", name)
    assert project.over(name) == {"failed": 3, "stopped": 1, "done": 2}


def test_a_trial_that_is_no_longer_planned_can_be_run_again_by_its_name(project: Project):
    name = project.sweep("gone", "seeds(2)", base="act='kill', at=1, steps=3")
    project.sweeps("submit", name)
    assert project.over(name) == {"failed": 2}
    first, second = project.trials(name)
    project.sweep("gone", "seeds([7])", base="act='kill', at=1, steps=3")
    assert project.sweeps("retry", name) == (
        "nothing to run again (2 failed)\n"
        "  see: python -m sweeps status gone\n"
        "  what failed is no longer planned; to run it again all the same: python -m sweeps retry gone TRIAL ...\n"
    )
    project.sweeps("retry", name, first["id"])
    project.over(name)
    assert [each["step"] for each in project.begun(first)] == [0, 1]
    assert [each["step"] for each in project.begun(second)] == [0]
