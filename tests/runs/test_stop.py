"""Ctrl-C and SIGTERM end a run with a checkpoint, a second Ctrl-C without, and nothing is lost by either."""

from __future__ import annotations

import re
import signal
import threading
from pathlib import Path

import pytest

from data.digits import Digits
from runs import _train
from runs._processes.stop import Stop
from tests.runs.conftest import WAIT, held_at

ON = "\n  to go on from the last checkpoint: python train.py --from run"


def signals(*numbers: int):
    return lambda: [signal.raise_signal(number) for number in numbers]


def test_ctrl_c_saves_at_the_end_of_its_step(go, after_step, failed):
    after_step(13, signals(signal.SIGINT))
    error = failed(lambda: go("run", "epochs=2"))
    assert str(error) == f"stopped by Ctrl-C after step 13 of 18{ON}"
    assert error.status == 130


def test_sigterm_does_too_and_comes_twice_for_all_we_care(go, left, after_step, failed):
    after_step(13, signals(signal.SIGTERM, signal.SIGTERM))
    error = failed(lambda: go("run", "epochs=2"))
    assert str(error) == f"stopped by SIGTERM after step 13 of 18{ON}"
    assert error.status == 143  # as a shell counts: 128 and the signal's number
    run = left(Path("run"))
    assert run.state()["step"] == 13
    assert run.summary["state"] == "interrupted"
    assert run.summary["reason"] == "stopped by SIGTERM after step 13 of 18"
    assert run.log.endswith(f"stopped by SIGTERM after step 13 of 18{ON}\n")


def test_a_second_ctrl_c_ends_at_once_and_leaves_the_checkpoint_before(go, left, after_step, failed):
    after_step(13, signals(signal.SIGINT, signal.SIGINT))
    error = failed(lambda: go("run", "epochs=2"))
    assert str(error) == f"stopped at once by Ctrl-C{ON}"
    assert error.status == 130
    run = left(Path("run"))
    assert run.state()["step"] == 9
    assert run.summary["state"] == "interrupted"
    assert run.summary["reason"] == "stopped at once by Ctrl-C"
    assert go(source="run").summary["state"] == "finished"


def test_ctrl_c_at_the_end_of_an_epoch_comes_after_its_validation(go, left, after_step, failed):
    after_step(9, signals(signal.SIGINT))
    error = failed(lambda: go("run", "epochs=2"))
    assert str(error) == f"stopped by Ctrl-C after step 9 of 18{ON}"
    assert [(each["step"], "validation/loss" in each) for each in left(Path("run")).metrics] == [(9, True), (9, False)]


def test_ctrl_c_in_the_last_step_lets_the_run_finish(go, after_step):
    after_step(18, signals(signal.SIGINT))
    assert go("run", "epochs=2").summary["state"] == "finished"


def test_ctrl_c_before_the_first_step_ends_at_once(go, left, failed, monkeypatch):
    """While data are read or fetched, no loop is there to look."""
    monkeypatch.setattr(Digits, "build", lambda self, *, seed: signals(signal.SIGINT)())
    error = failed(lambda: go("run"))
    assert str(error) == "stopped at once by Ctrl-C\n  the run is in run, which has no checkpoint yet"
    assert error.status == 130
    assert left(Path("run")).summary["state"] == "interrupted"


def test_sigterm_before_the_first_step_says_so_too(go, failed, monkeypatch):
    monkeypatch.setattr(Digits, "build", lambda self, *, seed: signals(signal.SIGTERM)())
    error = failed(lambda: go("run"))
    assert str(error) == "stopped at once by SIGTERM\n  the run is in run, which has no checkpoint yet"
    assert error.status == 143


def test_ctrl_c_while_it_tests_leaves_a_run_that_has_only_to_test(go, failed, monkeypatch):
    whole = go("whole", "epochs=1")
    score = _train._score
    monkeypatch.setattr("runs._train._score", lambda *_: signals(signal.SIGINT)())
    error = failed(lambda: go("run", "epochs=1"))
    assert str(error) == f"stopped at once by Ctrl-C{ON}"
    monkeypatch.setattr("runs._train._score", score)
    assert go(source="run").summary["test/accuracy"] == whole.summary["test/accuracy"]


def test_the_handlers_are_given_back(go, after_step, failed):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    after_step(3, signals(signal.SIGINT))
    failed(lambda: go("run", "epochs=2"))
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_run_on_another_thread_leaves_the_signals_alone():
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def enter() -> None:
        with Stop():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]


@pytest.mark.parametrize(
    ("number", "name", "status"), [(signal.SIGINT, "Ctrl-C", 130), (signal.SIGTERM, "SIGTERM", 143)], ids=str
)
def test_a_command_that_is_sent_a_signal(number, name, status, here, left, shell, go, differences):
    """The whole way: a process of its own, stopped from outside in a step, resumed by the command that it names."""
    words = ("model=mlp", "model.hidden_sizes=[8]", "data.batch_size=8", "epochs=3", "data.crop=1", "folder=run")
    child = held_at(200, *words)
    child.send_signal(number)
    Path("sent").touch()
    _, err = child.communicate(timeout=WAIT)
    assert err == f"stopped by {name} after step 200 of 471{ON}\n"
    assert child.returncode == status
    assert left(Path("run")).state()["step"] == 200
    if number == signal.SIGTERM:
        return  # from here on it is the same
    resumed = shell(*re.search(r"train\.py (.*)", err)[1].split())
    assert (resumed.status, resumed.err) == (0, "")
    assert resumed.out.splitlines()[1] == "goes on after step 200"
    whole = go("whole", *words[:-1])
    assert differences(whole.state(), left(Path("run")).state()) == []
    assert differences(whole.metrics, left(Path("run")).metrics) == []
