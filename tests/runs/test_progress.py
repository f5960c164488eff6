"""Lines for a log that nobody watches as a bar, and images a second among the metrics."""

from __future__ import annotations

import re
import signal
from typing import Any

import pytest
import torch

from runs.callbacks._hooks import Hooks
from runs.callbacks._progress import Pace

WORDS = ("callbacks=progress", "log_every=4", "epochs=2")
LINE = re.compile(r"step (\d+)/18 \((\d+) %\)(, train loss \d\.\d{4})?, (\d+) images/s, (\d:\d\d:\d\d) left")


class Clock:
    """Goes on by so many seconds at each step."""

    def __init__(self, seconds: float) -> None:
        self.now, self.seconds = 1000.0, seconds

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, after_step: Any) -> Any:
    """`clock(2.0)`: a step takes two seconds, and all else none."""

    def clock(seconds: float) -> None:
        time = Clock(seconds)
        monkeypatch.setattr("runs.callbacks._progress.monotonic", time)
        for number in range(1, 100):
            after_step(number, lambda: setattr(time, "now", time.now + time.seconds))

    return clock


def lines(run: Any) -> list[str]:
    return [line for line in run.log.splitlines() if line.startswith("step ")]


def test_a_line_comes_as_often_as_asked_and_says_how_far_the_run_is(go, clock):
    clock(8.0)
    run = go("run", *WORDS, "callbacks.progress.every=30")
    losses = {each["step"]: each["train/loss"] for each in run.metrics if "train/loss" in each}
    assert lines(run) == [
        "step 5/18 (27 %), 16 images/s, 0:01:44 left",  # the loss of step 4 is on its way
        f"step 9/18 (50 %), train loss {losses[4]:.4f}, 16 images/s, 0:01:12 left",
        f"step 13/18 (72 %), train loss {losses[8]:.4f}, 16 images/s, 0:00:40 left",
        f"step 17/18 (94 %), train loss {losses[12]:.4f}, 16 images/s, 0:00:08 left",
    ]


def test_images_a_second_are_of_the_time_since_the_log_before(go, clock):
    clock(0.5)
    run = go("run", *WORDS, "accumulate=3", "data.batch_size=16", "steps=12")
    speeds = {each["step"]: each["train/images_per_second"] for each in run.metrics if "train/loss" in each}
    assert speeds == {4: 96.0, 8: 96.0, 12: 96.0}
    assert list(run.metrics[0]) == ["step", "epoch", "train/loss", "train/images_per_second"]


def test_a_log_after_the_very_first_step_has_no_time_to_divide_by(go, clock):
    clock(0.5)
    run = go("run", "callbacks=progress", "steps=3", "log_every=1")
    assert [each.get("train/images_per_second") for each in run.metrics[:3]] == [None, 256.0, 256.0]


def test_in_a_short_run_no_line_is_due(go, clock):
    clock(3.0)  # 54 s in all
    run = go("run", *WORDS)
    assert lines(run) == []
    assert all(each["train/images_per_second"] > 0 for each in run.metrics if "train/loss" in each)


def test_a_terminal_has_its_bar_and_no_lines(go, clock, monkeypatch):
    clock(100.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("runs._screen.Screen.start", lambda self, **_: None)
    run = go("run", *WORDS)
    assert lines(run) == []
    assert run.metrics[0]["train/images_per_second"] == 1.3


def test_a_resumed_run_counts_from_where_it_goes_on(go, clock, failed, after_step):
    clock(40.0)
    after_step(7, lambda: signal.raise_signal(signal.SIGINT))
    failed(lambda: go("run", *WORDS))
    run = go(source="run")
    told = [LINE.fullmatch(line) for line in lines(run)]
    assert all(told)
    assert [int(each[1]) for each in told if each] == [3, 5, 7, 10, 12, 14, 16, 18]
    assert {each[4] for each in told if each} == {"3"}
    assert [each[5] for each in told if each][-5:] == ["0:05:20", "0:04:00", "0:02:40", "0:01:20", "0:00:00"]
    after = [each for each in run.metrics if "train/loss" in each and each["step"] > 7]
    assert [each.get("train/images_per_second") for each in after] == [None, 3.2, 3.2, 3.2]  # it sees step 8 first
    assert run.state()["hooks"] == {"progress": {}}


def test_it_does_not_touch_the_weights_nor_ask_anything_of_the_device(go, clock):
    clock(40.0)
    plain, told = go("plain", "log_every=4", "epochs=2"), go("told", *WORDS)
    assert torch.equal(plain.weights(), told.weights())
    assert [each.get("train/loss") for each in plain.metrics] == [each.get("train/loss") for each in told.metrics]


def test_in_a_step_it_reads_the_clock_and_no_more():
    class Nothing:
        step = 3

        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    training: Any = Nothing()
    pace = Pace(every=60.0)
    pace.on_step(training)
    for _ in range(10):
        pace.on_step(training)
    assert type(pace).on_validation is Hooks.on_validation


@pytest.mark.parametrize("every", ["0", "-1", "nan"])
def test_a_pace_of_none_is_refused(go, failed, every):
    error = failed(lambda: go("run", "callbacks=progress", f"callbacks.progress.every={every}"))
    key = "callbacks.progress.every"
    assert str(error).splitlines()[0] == f"{key}={every}: {key} is float > 0, not {every}"
    assert error.status == 2


@pytest.mark.usefixtures("gpu")
def test_on_a_gpu_it_waits_for_nothing(go, after_step, monkeypatch):
    monkeypatch.setattr("runs.callbacks._progress.Pace.on_log", _strict(Pace.on_log))
    monkeypatch.setattr("runs.callbacks._progress.Pace.on_step", _strict(Pace.on_step))
    run = go("run", "callbacks=progress", "callbacks.progress.every=1e-9", "steps=40", "log_every=4")
    assert len(lines(run)) == 39


def _strict(method: Any) -> Any:
    def strict(*args: Any) -> None:
        torch.cuda.set_sync_debug_mode("error")
        try:
            method(*args)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    return strict
