"""A task that takes its steps itself: the same numbers as the loop's own step, and everything else around it kept."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD

from models import Model
from models.mlp import Mlp
from runs import _train
from runs._training.own_step import Minimize, own_step
from runs.default import Default
from runs.optim import Several
from runs.optim.adamw import AdamW
from runs.optim.sgd import Sgd
from runs.schedule.constant import Constant
from runs.schedule.cosine import Cosine
from runs.task._classify import Classification
from runs.task.classify import Classify


class _Own(Classification):
    """What the loop does with one loss, as an own step."""

    def step(self, batch: Any, minimize: Callable[..., None]) -> Tensor | dict[str, Tensor]:
        loss = self.loss(self.network, batch)
        assert isinstance(loss, Tensor)
        minimize(loss)
        return loss


class OwnClassify(Classify):
    def build(self, *, model: Model, data: Any) -> Classification:
        network = model.build(inputs=data.inputs, classes=len(data.classes))
        return _Own(network, classes=data.classes, pixels=data.pixels, label_smoothing=self.label_smoothing)


class _Halves(Classification):
    """The layers but the last by one optimiser, and then the last by another, on a schedule of its own."""

    def optimizer(self, optim: Any) -> Any:
        first, last = nn.Sequential(*list(self.network.children())[:-1]), list(self.network.children())[-1]
        return Several({"first": optim.build(first), "last": SGD(last.parameters(), lr=0.1, momentum=0.9)})

    schedules = {"last": Constant()}

    def step(self, batch: Any, minimize: Callable[..., None]) -> dict[str, Tensor]:
        first = self.loss(self.network, batch)
        minimize(first, "first")
        then = self.loss(self.network, batch)
        minimize(then, "last")
        assert isinstance(first, Tensor)
        assert isinstance(then, Tensor)
        return {"loss": first, "then": then}


class InHalves(Classify):
    def build(self, *, model: Model, data: Any) -> Classification:
        network = model.build(inputs=data.inputs, classes=len(data.classes))
        return _Halves(network, classes=data.classes, pixels=data.pixels, label_smoothing=self.label_smoothing)


class Misnamed(InHalves):
    def build(self, *, model: Model, data: Any) -> Classification:
        class Wrong(_Halves):
            def step(self, batch: Any, minimize: Callable[..., None]) -> Any:
                minimize(self.loss(self.network, batch), "frist")

        network = model.build(inputs=data.inputs, classes=len(data.classes))
        return Wrong(network, classes=data.classes, pixels=data.pixels, label_smoothing=0)


def run(task: Classify, **more: Any) -> Default:
    return Default(**{"model": Mlp(hidden_sizes=(8,)), "task": task, "epochs": 2, "log_every": 4, **more})


@pytest.mark.parametrize("more", [{}, {"clip": 0.5}, {"optim": Sgd(lr=0.1)}], ids=["plain", "clipped", "sgd"])
def test_one_loss_is_what_the_loop_makes_of_it(more, go, differences):
    loops, own = go("loops", of=run(Classify(), **more)), go("own", of=run(OwnClassify(), **more))
    assert differences(loops.state()["module"], own.state()["module"]) == []
    assert loops.metrics == own.metrics


@pytest.mark.parametrize("task", [OwnClassify(), InHalves()], ids=["one", "two"])
def test_two_processes_are_as_one(task, go, together):
    alone = go("alone", of=run(task, clip=0.5))
    both = together(2, "both", of=run(task, clip=0.5))
    torch.testing.assert_close(both.weights(), alone.weights(), rtol=0, atol=2e-6)


@pytest.mark.parametrize("step", [1, 5, 39, 60])
def test_two_optimisers_go_on_to_the_same_bits(step, go, after_step, failed, differences):
    of = run(InHalves(), optim=AdamW(lr=1e-3), schedule=Cosine(), epochs=2)
    whole = go("whole", of=of)
    after_step(2 * step, lambda: signal.raise_signal(signal.SIGINT))  # each of the two takes one
    failed(lambda: go("run", of=of))
    resumed = go(source="run")
    assert differences(whole.state(), resumed.state()) == []
    assert resumed.metrics == whole.metrics


def test_each_optimiser_has_its_own_schedule_and_trains_its_own_part(go):
    left = go("run", of=run(InHalves(), optim=AdamW(lr=1e-3), schedule=Cosine(), epochs=1))
    groups = left.state()["optimizer"]["param_groups"]
    *first, last = [group["lr"] for group in groups]
    assert last == 0.1
    assert all(0 < lr < 1e-4 for lr in first)
    assert [name for name in left.metrics[0] if "train" in name] == ["train/loss", "train/then"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            {"accumulate": 2},
            "accumulate=2: OwnClassify takes its steps itself, and cannot have it\n  nearest: data.batch_size=64",
        ),
        (
            {"compile": True},
            "compile=true: OwnClassify takes its steps itself, and cannot have it\n  nearest: compile=null",
        ),
    ],
    ids=["accumulate", "compile"],
)
def test_what_an_own_step_cannot_have_is_refused(more, told, go, failed):
    error = failed(lambda: go("run", of=run(OwnClassify(), **more)))
    assert (str(error), error.status) == (told, 2)


def test_shards_are_refused(ranks, go, here):
    from runs.parallel.fsdp import Fsdp

    def attempt() -> None:
        try:
            go("run", of=run(OwnClassify(), parallel=Fsdp()))
        except Exception as error:
            (here / "told").write_text(str(error))
            raise

    assert ranks(2, attempt) == [2, 2]
    assert (here / "told").read_text() == (
        "parallel=fsdp: OwnClassify takes its steps itself, and cannot have it\n  nearest: parallel=ddp"
    )


def test_an_optimiser_that_is_not_there_is_named(go, failed):
    error = failed(lambda: go("run", of=run(Misnamed())))
    what, near, has, *_ = str(error).split("\n  ")
    assert what == "Wrong.step() minimises by an optimiser called 'frist'"
    assert near == "nearest: first"
    assert has == "it has: first, last"


class _Between(_Halves):
    """Keeps the loss of the second half as it was in the step, and as the weights after the first half give it."""

    seen: list[tuple[float, float]] = []

    def step(self, batch: Any, minimize: Callable[..., None]) -> dict[str, Tensor]:
        minimize(self.loss(self.network, batch), "first")
        then = self.loss(self.network, batch)
        assert isinstance(then, Tensor)
        torch.clear_autocast_cache()
        now = self.loss(self.network, batch)
        assert isinstance(now, Tensor)
        self.seen.append((then.item(), now.item()))
        minimize(then, "last")
        return {"loss": then}


def test_in_bf16_each_loss_is_that_of_the_weights_as_they_are() -> None:
    training = _train.build(run(InHalves(), precision="bf16", gpu=-1, optim=AdamW(lr=0.05)), Path("x"), print)
    training.objective.__class__ = _Between
    _Between.seen.clear()
    step, batch = own_step(training), training.dataset.train.batch(torch.arange(32))
    for _ in range(3):
        step(batch)
    assert all(then == now for then, now in _Between.seen)
    assert len({then for then, _ in _Between.seen}) == 3


def test_an_optimiser_steps_in_fp32_and_may_step_twice() -> None:
    training = _train.build(run(InHalves(), precision="bf16", gpu=-1, clip=1.0), Path("x"), print)
    training.scaler = torch.amp.GradScaler("cpu")
    kinds: list[bool] = []
    training.optimizer.parts["last"].register_step_pre_hook(lambda *_: kinds.append(torch.is_autocast_enabled("cpu")))
    minimize, batch = Minimize(training), training.dataset.train.batch(torch.arange(32))
    with torch.autocast("cpu", torch.bfloat16):
        for _ in range(2):
            minimize(training.objective.loss(training.module, batch), "last")
    assert kinds == [False, False]


def test_further_losses_are_summed_in_fp32() -> None:
    training = _train.build(run(OwnClassify(), gpu=-1), Path("x"), print)
    for _ in range(1000):
        training.named({"loss": torch.zeros(()), "worth": torch.tensor(1.3, dtype=torch.bfloat16)})
    assert float(training.parts["worth"]) == pytest.approx(1000 * 1.296875 / training.share)


def test_a_prediction_in_bf16_is_returned_as_fp32() -> None:
    training = _train.build(run(OwnClassify(), precision="bf16", gpu=-1), Path("x"), print)
    found = training.predict(training.dataset.train.batch(torch.arange(4))[0])
    assert (found.dtype, bool((found == found.bfloat16().float()).all())) == (torch.float32, True)
