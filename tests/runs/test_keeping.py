"""Which checkpoints stay, and which is the best, where a run says so."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from cn import UserError
from cn.run_folder.watched import Watched
from data.digits import Digits
from models.mlp import Mlp
from runs.callbacks import Callback
from runs.callbacks._checkpoint import Keeper
from runs.callbacks._hooks import Hooks
from runs.callbacks.checkpoint import Checkpoint
from runs.callbacks.early_stopping import EarlyStopping
from runs.default import Default

SMALL = {"model": Mlp(hidden_sizes=(8,)), "data": Digits(batch_size=128)}  # 9 steps an epoch

LOSSES = [(3.0, 0.5), (1.0, 0.4), (2.0, 0.7), (1.0, 0.6), (4.0, 0.7)]  # and accuracies, of validations 1 to 5


@pytest.mark.parametrize(
    ("metric", "best"), [("validation/accuracy", 3), ("validation/loss", 4)], ids=["accuracy", "loss"]
)
def test_the_best_is_by_the_metric_and_the_other_decides_a_tie(go, monkeypatch, metric, best):
    values = (dict(zip(("loss", "accuracy"), each, strict=True)) for each in LOSSES)
    monkeypatch.setattr("runs._training.loop.evaluate", lambda training, split: next(values))
    monkeypatch.setattr("runs._train.evaluate", lambda training, split: {"loss": 0.25, "accuracy": 0.75})
    run = go("run", "callbacks=checkpoint", f"callbacks.checkpoint.metric={metric}", "epochs=5")
    assert run.summary["best/step"] == run.state("best.pt")["step"] == 9 * best
    assert (run.summary["validation/loss"], run.summary["validation/accuracy"]) == LOSSES[best - 1]
    assert run.summary["test/accuracy"] == 0.75
    assert not list(run.folder.glob("step-*"))


@pytest.mark.parametrize("callback", ["checkpoint", "early_stopping"])
def test_a_metric_of_which_less_is_better_is_known_by_its_name(go, callback):
    words = ("task=regress", "data=diabetes", "model=linear", "data.batch_size=200", "epochs=4", "optim.lr=1e-3")
    more = ("callbacks.early_stopping.patience=1",) if callback == "early_stopping" else ()
    run = go("run", *words, f"callbacks={callback}", f"callbacks.{callback}.metric=validation/rmse", *more)
    values = [each["validation/rmse"] for each in run.metrics if "validation/rmse" in each]
    assert len(values) == 4
    assert values == sorted(values, reverse=True)
    assert run.summary["best/step"] == run.summary["step"]


def test_whether_less_of_a_metric_is_better_is_the_goals_or_its_modes_or_its_names():
    goal = [Watched("validation/odd", "min")]
    assert Watched("validation/odd").asked("callbacks.x", None, goal).less
    assert not Watched("validation/odd", "max").asked("callbacks.x", None, goal).less
    assert Watched("validation/perplexity").asked("callbacks.x", None, []).less
    assert not Watched("validation/f1").asked("callbacks.x", None, []).less
    with pytest.raises(UserError) as caught:
        Watched("validation/odd").asked("callbacks.x", ["validation/odd"], [])
    assert str(caught.value) == (
        "callbacks.x.metric=validation/odd: its name does not say whether less of it is better\n"
        "  write: callbacks.x.mode=min or callbacks.x.mode=max"
    )


class Measured(Hooks):
    """A metric of its own at each validation."""

    def __init__(self, values: list[float]) -> None:
        self.values = iter(values)

    def on_validation(self, training, metrics) -> None:
        metrics["validation/f1"] = next(self.values)


class More(Keeper):
    """A metric of its own, in a class of one that adds none."""

    def on_validation(self, training, metrics) -> None:
        super().on_validation(training, metrics)
        metrics["validation/f1"] = -float(training.step)


class KeepMore(Checkpoint):
    def build(self) -> More:
        return More(metric=Watched(self.metric), every=self.every)


class Measure(Callback):
    values: list[float]

    def build(self) -> Measured:
        return Measured(self.values)


@pytest.mark.parametrize(
    ("values", "mode", "best"),
    [([0.1, 0.5, 0.3], None, 2), ([0.1, 0.5, 0.3], "min", 1), ([float("nan"), 0.2, 0.1], None, 2)],
    ids=["most", "least", "nan"],
)
def test_the_best_is_by_a_metric_that_another_callback_measures(go, values, mode, best):
    callbacks = {"checkpoint": Checkpoint(metric="validation/f1", mode=mode), "measure": Measure(values=values)}
    run = go("run", of=Default(**SMALL, callbacks=callbacks, epochs=3))
    assert run.summary["best/step"] == run.state("best.pt")["step"] == 9 * best
    assert run.summary["validation/f1"] == values[best - 1]


def test_a_run_ends_when_such_a_metric_stops_improving(go):
    callbacks = {
        "measure": Measure(values=[0.5, 0.4, 0.4, 0.6]),
        "stop": EarlyStopping(metric="validation/f1", patience=2),
    }
    run = go("run", of=Default(**SMALL, callbacks=callbacks, epochs=9))
    assert run.summary["epoch"] == 3
    assert run.summary["reason"] == "validation/f1 has not improved for 2 validations"


KINDS: dict[str, Any] = {"checkpoint": Checkpoint, "early_stopping": EarlyStopping}


@pytest.mark.parametrize("name", KINDS)
def test_a_metric_that_nobody_measures_is_refused_with_those_that_are(go, failed, name):
    told = [
        f"callbacks.{name}.metric=validation/acuracy: no validation measures it",
        "  nearest: validation/accuracy, validation/loss",
        "  a callback that measures it stands before the one that asks for it",
    ]
    words = (f"callbacks.{name}.metric=validation/acuracy", "epochs=2")
    error = failed(lambda: go("early", f"callbacks={name}", *words))
    assert str(error).splitlines()[:3] == told
    assert error.status == 2
    assert not Path("early/metrics.jsonl").exists()  # nothing was trained in vain
    callbacks = {"measure": Measure(values=[0.1]), name: KINDS[name](metric="validation/acuracy", mode="max")}
    error = failed(lambda: go("late", of=Default(**SMALL, callbacks=callbacks)))
    assert str(error).splitlines()[:3] == [
        told[0],
        "  nearest: validation/accuracy, validation/f1, validation/loss",
        told[2],
    ]


def test_a_callback_may_measure_what_it_asks_for_itself(go):
    run = go("run", of=Default(**SMALL, callbacks={"mine": KeepMore(metric="validation/f1")}, epochs=2))
    assert (run.summary["best/step"], run.summary["validation/f1"]) == (9, -9.0)


@pytest.mark.parametrize("at", [None, 13, 18, 29])
def test_every_second_validation_is_kept_after_a_stop_too(go, failed, after_step, at):
    words = ("callbacks=checkpoint", "callbacks.checkpoint.every=2", "epochs=5")
    if at is None:
        run = go("run", *words)
    else:
        after_step(at, lambda: signal.raise_signal(signal.SIGINT))
        failed(lambda: go("run", *words))
        run = go(source="run")
    assert sorted(each.name for each in run.folder.glob("*.pt")) == (
        ["best.pt", "last.pt", "step-000018.pt", "step-000036.pt"]
    )
    assert [run.state(f"step-{step:06d}.pt")["step"] for step in (18, 36)] == [18, 36]
    assert not torch.equal(run.weights("step-000018.pt"), run.weights("step-000036.pt"))
    assert not list(run.folder.glob(".*.pt*"))


def test_two_that_keep_some_keep_those_of_both(go):
    callbacks = {"a": Checkpoint(every=1), "b": Checkpoint(metric="validation/loss", every=100)}
    run = go("run", of=Default(**SMALL, callbacks=callbacks, epochs=2))
    assert sorted(each.name for each in run.folder.glob("step-*")) == ["step-000009.pt", "step-000018.pt"]


def test_keeping_none_of_them_is_written_null(go, failed):
    error = failed(lambda: go("run", "callbacks=checkpoint", "callbacks.checkpoint.every=0"))
    assert "callbacks.checkpoint.every is int >= 1 | None, not 0" in str(error)
