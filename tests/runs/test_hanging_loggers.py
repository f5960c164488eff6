"""A logger that never answers holds nobody: the run, its checkpoints and the other loggers go on, and it is named."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cn.run_folder.metrics import Record, read
from data.digits import Digits
from models.mlp import Mlp
from runs.callbacks import Callback
from runs.callbacks._hooks import Hooks
from runs.default import Default
from runs.logger import Logger
from runs.logger._thread import Thread
from runs.logger._writer import JsonLines, Writer
from runs.logger.csv import Csv

ROOT = Path(__file__).parents[2]
LEFT = r"logger\.mine has not answered for \d+ seconds and is left out from here"
LET = threading.Event()  # at the end of a test, so that no thread is left


class Hanging(Writer):
    """Comes back from no call of one of its methods."""

    def __init__(self, where: str) -> None:
        setattr(self, where, lambda *_: LET.wait(300))


class Never(Logger):
    where: str = "write"

    def build(self, folder: Path) -> Writer:
        if self.where == "build":
            LET.wait(300)
        return Hanging(self.where)


class _ShowHooks(Hooks):
    def on_validation(self, training: Any, metrics: dict[str, float]) -> None:
        training.show("small", None, training.step)


class _Show(Callback):
    def build(self) -> Hooks:
        return _ShowHooks()


def run(**loggers: Logger) -> Default:
    small = {"model": Mlp(hidden_sizes=(8,)), "data": Digits(batch_size=128), "epochs": 2, "log_every": 4}
    return Default(**small, callbacks={"show": _Show()}, logger={**loggers, "csv": Csv()})


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, seconds in (("STARTING", 0.5), ("SOON", 3.0), ("ENDING", 3.0)):
        monkeypatch.setattr(f"runs.logger._thread.{name}", seconds)
    LET.clear()
    yield
    LET.set()


@pytest.mark.parametrize("where", ["build", "resume", "write", "picture", "flush", "result", "close"])
def test_wherever_it_hangs(where, go, capsys):
    done, whole = go("run", of=run(mine=Never(where=where))), go("whole", of=run())
    (told,) = (line for line in done.log.splitlines() if "logger" in line)
    assert re.fullmatch(LEFT, told)
    assert capsys.readouterr().out.splitlines().count(told) == 1
    assert {**done.summary, "seconds": 0, "command": ""} == {**whole.summary, "seconds": 0, "command": ""}
    assert done.summary["state"] == "finished"
    assert done.metrics == whole.metrics
    assert (done.folder / "metrics.csv").read_bytes() == (whole.folder / "metrics.csv").read_bytes()


@pytest.mark.slow
def test_training_goes_on_and_tells_it_after_some_minutes(here, monkeypatch):
    monkeypatch.setattr("runs.logger._thread.HANGS", 0.5)
    said: list[str] = []
    thread = Thread(JsonLines(here / "metrics.jsonl"), said.append)
    thread.start(0, {"mine": lambda: Hanging("write"), "other": Writer})
    step = 0
    while not said and step < 10_000:
        step += 1
        thread.put({"step": step})
        time.sleep(0.02)
    assert [re.sub(r"\d+ seconds", "1 seconds", each) for each in said] == [LEFT.replace(r"\d+", "1").replace("\\", "")]
    thread.flush()
    assert [each["step"] for each in read(here / "metrics.jsonl")] == list(range(1, step + 1))
    assert list(thread.others) == ["other"]
    thread.close("finished")
    assert len(said) == 1


@pytest.mark.slow
def test_a_checkpoint_waits_for_it_once(here):
    thread = Thread(JsonLines(here / "metrics.jsonl"), print)
    thread.start(0, {"mine": lambda: Hanging("write")})
    thread.put({"step": 1})
    began = time.monotonic()
    thread.flush()
    assert time.monotonic() - began > 2.9
    for step in range(2, 300):
        thread.put({"step": step})
        thread.flush()
    thread.close("interrupted")
    assert len(read(here / "metrics.jsonl")) == 299
    assert time.monotonic() - began < 100  # and not 3 seconds for each


class Slow(Writer):
    """Takes so many seconds for each record, until a test is over."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.steps: list[float] = []

    def write(self, record: Record) -> None:
        self.steps.append(record["step"])
        LET.wait(self.seconds)


@pytest.mark.slow
def test_one_that_is_far_behind_holds_no_checkpoint_and_no_stop(here):
    said: list[str] = []
    slow = Slow(0.1)  # far less than it is given for one thing
    thread = Thread(JsonLines(here / "metrics.jsonl"), said.append)
    thread.start(0, {"mine": lambda: slow})
    for step in range(1, 1001):
        thread.put({"step": step})
    thread.flush()
    assert len(read(here / "metrics.jsonl")) == 1000
    assert len(slow.steps) < 500  # which takes it 50 s
    thread.close("interrupted")
    assert said == ["logger.mine is far behind and is left out from here"]
    assert len(slow.steps) < 500


@pytest.mark.slow
def test_one_that_is_far_behind_may_write_what_came_of_a_run_that_finished(here, monkeypatch):
    monkeypatch.setattr("runs.logger._thread.ENDING", 4.0)  # less than it needs for all
    slow = Slow(0.5)
    thread = Thread(JsonLines(here / "metrics.jsonl"), print)
    thread.start(0, {"mine": lambda: slow})
    for step in range(1, 11):
        thread.put({"step": step})
    thread.close("finished")
    assert slow.steps == list(range(1, 11))


@pytest.mark.parametrize("where", ["build", "write"])
def test_ctrl_c_while_it_hangs_saves_and_ends(where, go, failed, after_step, left, differences, monkeypatch):
    monkeypatch.setattr("runs.logger._thread.ENDING", 10_000.0)  # a run that was stopped does not wait for that
    after_step(13, lambda: signal.raise_signal(signal.SIGINT))
    error = failed(lambda: go("run", of=run(mine=Never(where=where))))
    assert str(error) == (
        "stopped by Ctrl-C after step 13 of 18\n  to go on from the last checkpoint: python train.py --from run"
    )
    stopped = left(Path("run"))
    assert (stopped.summary["state"], stopped.state()["step"]) == ("interrupted", 13)
    assert [each["step"] for each in stopped.metrics] == [4, 8, 9, 12, 13]
    assert re.fullmatch(LEFT, stopped.log.splitlines()[2])
    monkeypatch.setattr("runs.logger._thread.ENDING", 3.0)
    resumed, whole = go(source="run"), go("whole", of=run())
    assert differences(whole.state(), resumed.state()) == []
    assert resumed.metrics == whole.metrics
    assert (resumed.folder / "metrics.csv").read_bytes() == (whole.folder / "metrics.csv").read_bytes()


@pytest.mark.slow
def test_its_process_ends_all_the_same(here):
    script = (
        "import threading, runs.logger._thread as loggers\n"
        "from runs.logger._writer import Writer\n"
        "loggers.STARTING = loggers.ENDING = 0.1\n"
        "thread = loggers.Thread(Writer(), print)\n"
        "thread.start(0, {'mine': threading.Event().wait})\n"
        "thread.close('finished')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(LEFT, done.stdout.rstrip("\n"))


@pytest.mark.slow
def test_one_that_was_left_out_and_comes_back_says_and_does_nothing_more(here):
    said: list[str] = []
    thread = Thread(JsonLines(here / "metrics.jsonl"), said.append)
    thread.start(0, {"mine": lambda: Hanging("write")})
    lane = thread.others["mine"]
    for step in (1, 2, 3):
        thread.put({"step": step})
    thread.close("finished")
    assert len(said) == 1
    LET.set()
    lane.thread.join()
    assert (len(said), lane.todo.empty()) == (1, False)
