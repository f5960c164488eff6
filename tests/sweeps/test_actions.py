"""`cancel`, `retry`, and what `status` and `logs` say before and after; `submit` has a file of its own."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from cn.errors import RunError
from cn.sweeping.actions import retry
from cn.sweeping.planning.named import find
from cn.sweeping.submitting import ending
from tests.sweeps.project import Project, masked, words

FOUR = "points([{'value': 0.1}, {'act': 'raise'}, {'act': 'hold', 'at': 2}, {'act': 'hold', 'seed': 7}])"


@pytest.fixture(params=["local", "slurm"])
def one_by_one(request: pytest.FixtureRequest) -> Sequence[str]:
    """The words for one trial after the other, so that some wait."""
    if request.param == "slurm":
        request.getfixturevalue(request.param)
    return words(request.param, parallel=1)


def test_how_trials_stand_and_what_can_be_done_about_it(project: Project, one_by_one: Sequence[str]):
    """Of four trials, one is done, one fails, one is cancelled while it runs and one before it does."""
    name = project.sweep("four", FOUR, base="steps=4", doc="What do four do?")
    other = project.sweep("other", "seeds(1)", base="act='hold', steps=2")
    folder = "outputs/sweeps/four"
    project.hold.parent.mkdir()
    project.hold.touch()
    project.sweeps("submit", name, *one_by_one)
    project.sweeps("submit", other, *one_by_one)
    project.wait(folder, lambda reports: len(reports) == 3)
    project.wait("outputs/sweeps/other", lambda reports: len(reports) == 1)
    project.until_saved(folder, [2, 4])

    said = masked(project.sweeps("status", name))
    assert re.sub(r'File ".*", line \d+', 'File "FILE", line 0', said) == (
        "trial       state    step  validation/accuracy  time     what, why\n"
        "----------  -------  ----  -------------------  -------  "
        "-------------------------------------------------------\n"
        "ID________  done     4/4   0.1                  TIME___  value=0.1\n"
        "ID________  failed                              TIME___  "
        "act=raise: ZeroDivisionError: no number is divided by 0\n"
        "ID________  running  2/?   0.5                  TIME___  act=hold at=2\n"
        "ID________  queued                                       act=hold seed=7\n"
        "\n"
        "1 running, 1 failed, 1 queued, 1 done\n"
        "\n"
        "the last lines of ID________, which failed: ZeroDivisionError: no number is divided by 0\n"
        '    File "FILE", line 0, in train\n'
        "      act(run.act)\n"
        '    File "FILE", line 0, in act\n'
        '      raise ZeroDivisionError("no number is divided by 0")\n'
        "  ZeroDivisionError: no number is divided by 0\n"
    )
    done, failed, running, queued = project.trials(name)

    said = project.sweeps("logs", name)
    assert said.startswith(
        f"{failed['id']} failed: act=raise\n{folder}/trials/{failed['id'][:2]}/{failed['id']}/output.txt\n\n"
        "begins after step 0 sees "
    )
    assert "\nis about to raise\nTraceback (most recent call last):\n" in said
    said = project.sweeps("logs", name, done["id"][:4])
    assert said.startswith(f"{done['id']} done: value=0.1\n")
    assert masked(project.sweeps("logs", name, "xyz", status=2)) == (
        "no trial of four is called 'xyz'\n"
        "  choose from: ID________, ID________, ID________, ID________\n"
        "  see: python -m sweeps status four\n"
    )
    assert project.sweeps("retry", name, done["id"], status=2) == (
        f"{done['id']} is done, and is not run again\n  see: python -m sweeps status four\n"
    )

    retry = f"python -m sweeps retry four {' '.join(one_by_one)}\n"  # where it was submitted, though that is not typed
    assert project.sweeps("cancel", name) == f"cancelled 2 trials; to go on with them: {retry}"
    assert project.over(name) == {"failed": 1, "cancelled": 2, "done": 1}
    assert project.states(other) == {"running": 1}
    assert project.sweeps("cancel", name) == "four has nothing in the queue\n"
    assert project.sweeps("submit", name, *one_by_one) == (
        "nothing new to queue (1 done, 1 failed, 2 cancelled)\n"
        "  see: python -m sweeps status four\n"
        f"  what failed or was cancelled is left alone; to run it again: {retry}"
    )

    assert project.sweeps("plan", name, *one_by_one).endswith(
        f"\n\n1 done, 1 failed, 2 cancelled\nwhat failed or was cancelled is left alone; to run it again: {retry}"
    )

    project.hold.unlink()
    said = masked(project.sweeps("retry", name, running["id"], queued["id"], *one_by_one))
    assert said == (
        "queued 2 trials: JOB (1 done, 1 failed)\n"
        "  see: python -m sweeps status four\n"
        f"  what failed is left alone; to run it again: {retry}"
    )
    shown = project.sweeps("status", name, "-w")
    assert shown.rstrip().endswith("ZeroDivisionError: no number is divided by 0")
    assert "\n1 failed, 3 done" in shown
    assert [each.get("step") for each in project.begun(running)] == [0, 3, None]  # it had saved step 3
    assert [each.get("step") for each in project.begun(queued)] == [0, None]
    assert [each.get("step") for each in project.begun(done)] == [0, None]
    assert project.over(other) == {"done": 1}


def test_a_trial_that_does_not_listen_is_ended_by_a_second_cancel(project: Project):
    name = project.sweep("deaf", "seeds(2)", base="act='hang', at=1, steps=2")
    project.sweeps("submit", name)
    project.until_saved("outputs/sweeps/deaf", [1, 1])
    assert project.sweeps("cancel", name) == "cancelled 2 trials; to go on with them: python -m sweeps retry deaf\n"
    assert project.states(name) == {"running": 2}
    project.sweeps("cancel", name)
    assert project.over(name) == {"cancelled": 2}


def test_what_was_cancelled_goes_on_with_the_command_that_cancel_names(project: Project, held: Path):
    """It is typed at once, while the trials still end; `submit` says that they do."""
    name = project.sweep("slow", "seeds(2)", base="act='stubborn', at=1, steps=3")
    project.sweeps("submit", name)
    project.until_saved("outputs/sweeps/slow", [1, 1])
    said = project.sweeps("cancel", name)
    assert said == "cancelled 2 trials; to go on with them: python -m sweeps retry slow\n"
    assert project.sweeps("submit", name) == (
        "nothing new to queue (2 running)\n"
        "  see: python -m sweeps status slow\n"
        "  what was cancelled has not ended yet; to go on with it: python -m sweeps retry slow\n"
    )
    retry = project.start("-m", "sweeps", "retry", name)
    assert retry.stderr is not None
    assert retry.stderr.readline() == "what was cancelled has not ended yet, and retry waits for it\n"
    held.unlink()
    out, error = retry.communicate()
    assert (masked(out), error) == ("queued 2 trials: JOB\n  see: python -m sweeps status slow\n", "")
    assert project.over(name) == {"done": 2}
    assert [[each.get("step") for each in project.begun(each)] for each in project.trials(name)] == [[0, 2, None]] * 2


def test_retry_says_how_to_end_what_does_not_end(project: Project, monkeypatch: pytest.MonkeyPatch):
    name = project.sweep("deaf", "seeds(2)", base="act='hang', at=1, steps=2")
    project.sweeps("submit", name)
    project.until_saved("outputs/sweeps/deaf", [1, 1])
    project.sweeps("cancel", name)
    monkeypatch.setattr(ending, "PATIENCE", 0)
    with contextlib.chdir(project.folder), pytest.raises(RunError) as error:
        retry(find("outputs/sweeps/deaf"), [], every=False)
    assert str(error.value) == (
        "what was cancelled has not ended in 0 s\n"
        "  to end it at once: python -m sweeps cancel outputs/sweeps/deaf\n"
        "  to wait again: python -m sweeps retry outputs/sweeps/deaf"
    )
