"""Which checkpoints stay, and which is the best, where a run says so."""

from __future__ import annotations

import signal

import pytest
import torch

LOSSES = [(3.0, 0.5), (1.0, 0.4), (2.0, 0.7), (1.0, 0.6), (4.0, 0.7)]  # and accuracies, of validations 1 to 5


@pytest.mark.parametrize(
    ("metric", "best"), [("validation/accuracy", 3), ("validation/loss", 4)], ids=["accuracy", "loss"]
)
def test_the_best_is_by_the_metric_and_the_other_decides_a_tie(go, monkeypatch, metric, best):
    values = iter(LOSSES)
    monkeypatch.setattr("runs._loop.evaluate", lambda training, split: next(values))
    monkeypatch.setattr("runs._train.evaluate", lambda training, split: (0.25, 0.75))
    run = go("run", "callbacks=checkpoint", f"callbacks.checkpoint.metric={metric}", "epochs=5")
    assert run.summary["best/step"] == run.state("best.pt")["step"] == 9 * best
    assert (run.summary["validation/loss"], run.summary["validation/accuracy"]) == LOSSES[best - 1]
    assert run.summary["test/accuracy"] == 0.75
    assert not list(run.folder.glob("step-*"))


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


def test_keeping_none_of_them_is_written_null(go, failed):
    error = failed(lambda: go("run", "callbacks=checkpoint", "callbacks.checkpoint.every=0"))
    assert "every is 0, and must be at least 1 validation; null keeps none" in str(error)
