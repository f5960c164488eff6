"""The average of the weights: what it is, what is measured with it, and that it goes on after a stop."""

from __future__ import annotations

import signal
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from data.digits import Digits
from models.dense import Dense
from models.mlp import Mlp
from runs.callbacks import Callback
from runs.callbacks._hooks import Hooks
from runs.callbacks.ema import Ema
from runs.default import Default

SMALL = {"model": Mlp(hidden_sizes=(8,)), "data": Digits(batch_size=128)}


class _WeightHooks(Hooks):
    seen: list[dict[str, Any]] = []

    def on_start(self, training: Any) -> None:
        self.on_step(training)

    def on_step(self, training: Any) -> None:
        self.seen.append({name: each.clone() for name, each in training.module.state_dict().items()})


class _Weights(Callback):
    """Notes the weights before the first step and after each."""

    def build(self) -> Hooks:
        return _WeightHooks()


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    monkeypatch.setattr(_WeightHooks, "seen", [])
    return _WeightHooks.seen


@pytest.mark.parametrize("decay", [0.9, 0.3])
def test_it_is_the_exponential_average_of_weights_and_statistics(go, seen, decay):
    callbacks = {"ema": Ema(decay=decay), "weights": _Weights()}
    run = go("run", of=Default(model=Dense(), data=Digits(batch_size=128), callbacks=callbacks, steps=12))
    start, *after = seen
    expected = dict(start)
    for step, weights in enumerate(after, 1):
        share = min(decay, (1 + step) / (10 + step))
        for name, each in weights.items():
            whole = not each.is_floating_point()
            expected[name] = each if whole else share * expected[name] + (1 - share) * each
    state = run.state()
    assert list(state["average"]) == list(state["module"])
    assert any("running_var" in name for name in expected)
    for name, each in state["average"].items():
        torch.testing.assert_close(each, expected[name], rtol=1e-5, atol=1e-7)
        assert torch.equal(state["module"][name], after[-1][name])
    assert not torch.equal(state["average"]["1.weight"], state["module"]["1.weight"])


def test_it_changes_nothing_of_how_the_run_learns(go):
    plain = go("plain", of=Default(**SMALL, epochs=2))
    run = go("run", of=Default(**SMALL, callbacks={"ema": Ema(decay=0.99)}, epochs=2))
    assert torch.equal(run.weights(), plain.weights())
    trained = [[each["train/loss"] for each in each.metrics if "train/loss" in each] for each in (run, plain)]
    assert trained[0] == trained[1]
    assert run.metrics[-1]["validation/loss"] != plain.metrics[-1]["validation/loss"]


def test_what_is_validated_and_tested_is_the_average_and_best_pt_holds_it(go, capsys):
    run = go("run", "callbacks=ema", "callbacks.ema.decay=0.9", "epochs=3")
    capsys.readouterr()
    network: nn.Module = Mlp(hidden_sizes=(8,)).build(inputs=(1, 8, 8), classes=10).eval()
    best, data = run.state("best.pt"), Digits().build(seed=1)

    def score(weights: dict[str, Any], split: Any) -> tuple[float, float]:
        network.load_state_dict(weights)
        images, labels = split.batch(torch.arange(len(split)))
        with torch.no_grad():
            logits = network(images)
        return cross_entropy(logits, labels).item(), float((logits.argmax(1) == labels).double().mean())

    for part, split in (("validation", data.validation), ("test", data.test)):
        loss, accuracy = score(best["average"], split)
        assert run.summary[f"{part}/loss"] == pytest.approx(loss, rel=1e-6)
        assert run.summary[f"{part}/accuracy"] == accuracy
        assert abs(score(best["module"], split)[0] - loss) > 1e-4  # an accuracy could be the same by chance
    tested = run.summary["test/loss"], run.summary["test/accuracy"]
    go(source="run")  # it has finished: only tested
    assert (run.summary["test/loss"], run.summary["test/accuracy"]) == tested
    again = capsys.readouterr().out.splitlines()[-2]
    go("eval", "mode=eval", source="run")
    assert capsys.readouterr().out.splitlines() == [again]


@pytest.mark.parametrize("at", [4, 9, 13])
def test_a_stop_changes_no_bit_of_it(go, failed, after_step, differences, at):
    words = ("callbacks=[ema,early_stopping]", "callbacks.ema.decay=0.9", "model=dense", "epochs=2")
    whole = go("whole", *words)
    after_step(at, lambda: signal.raise_signal(signal.SIGINT))
    failed(lambda: go("run", *words))
    run = go(source="run")
    for name in ("last.pt", "best.pt"):
        assert differences(whole.state(name), run.state(name)) == []
    assert run.metrics == whole.metrics


class _Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 10)
        self.mask = nn.Buffer(torch.tensor([0.0, float("-inf")]))
        self.even = nn.Buffer(torch.zeros(2, dtype=torch.bool))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.linear(images.flatten(1)) + self.mask[0] + self.even[0]


def test_a_mask_stays_as_it_is(go, monkeypatch):
    monkeypatch.setattr(Mlp, "build", lambda self, *, inputs, classes: _Masked())
    average = go("run", of=Default(**SMALL, callbacks={"ema": Ema()}, steps=3)).state()["average"]
    assert average["mask"].tolist() == [0.0, float("-inf")]
    assert average["even"].tolist() == [False, False]


def test_two_averages_are_refused(go, failed):
    error = failed(lambda: go("run", of=Default(**SMALL, callbacks={"a": Ema(), "b": Ema(decay=0.9)}, steps=2)))
    assert str(error) == "callbacks.a and callbacks.b both average the weights: leave one out"


@pytest.mark.parametrize("decay", [0.0, 1.0, -1.0])
def test_a_decay_outside_its_range_is_refused(go, failed, decay):
    error = failed(lambda: go("run", "callbacks=ema", f"callbacks.ema.decay={decay}"))
    assert f"callbacks.ema.decay is 0 < float < 1, not {decay}" in str(error)
