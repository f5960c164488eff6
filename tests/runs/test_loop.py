"""The loop learns, takes the steps that it is asked for, and waits for nothing while it does."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

import runs._training.loop
from data._images import ImageSplit
from data.digits import Digits
from models.mlp import Mlp
from runs._training.order import order
from runs.callbacks import Callback
from runs.callbacks._hooks import Hooks
from runs.callbacks.learning_rate import LearningRate
from runs.default import Default
from runs.schedule.one_cycle import OneCycle

PLAIN = ("optim=sgd", "optim.momentum=0", "optim.nesterov=false", "optim.weight_decay=0", "schedule=constant")


def start() -> torch.Tensor:
    """The weights that a small run starts from."""
    torch.manual_seed(1)
    module = Mlp(hidden_sizes=(8,)).build(inputs=(1, 8, 8), classes=10)
    return torch.cat([each.detach().flatten() for each in module.state_dict().values()])


def test_it_learns(go):
    run = go("run", "model.hidden_sizes=[64]", "data.batch_size=32", "epochs=8")
    assert run.summary["test/accuracy"] > 0.93
    losses = [each["train/loss"] for each in run.metrics if "train/loss" in each]
    assert losses[0] > 2.2  # ln 10 = 2.3: it knew nothing
    assert losses[-1] < 0.4


def test_four_batches_of_16_make_the_step_of_one_of_64(go):
    """The same images in sums of another order: fp32 differs in the last bits alone, and SGD does not blow them up."""
    sgd = ("optim=sgd", "optim.lr=0.05", "steps=19")
    whole = go("whole", *sgd, "data.batch_size=64").weights()
    parts = go("parts", *sgd, "data.batch_size=16", "accumulate=4").weights()
    assert (whole - start()).abs().max() > 0.05
    assert (whole - parts).abs().max() < 1e-6


def test_the_gradients_of_four_batches_of_16_are_those_of_one_of_64(go):
    """With a rate of 1 and nothing else, what the weights lose in one step is the gradient."""
    whole = go("whole", *PLAIN, "optim.lr=1", "steps=1", "data.batch_size=64").weights() - start()
    parts = go("parts", *PLAIN, "optim.lr=1", "steps=1", "data.batch_size=16", "accumulate=4").weights() - start()
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-7)


def test_batch_norm_sees_batches_of_16_all_the_same(go):
    """What accumulation cannot mend: statistics are of the batch that is in memory."""
    dense = ("model=dense", *PLAIN, "optim.lr=0.1", "steps=1")
    whole = go("whole", *dense, "data.batch_size=64").state()["module"]
    parts = go("parts", *dense, "data.batch_size=16", "accumulate=4").state()["module"]
    assert max(float((whole[name] - parts[name]).abs().max()) for name in whole if "weight" in name) > 1e-3


def test_clip_bounds_the_norm_of_a_step(go):
    free = go("free", *PLAIN, "optim.lr=1", "steps=1").weights() - start()
    clipped = go("clipped", *PLAIN, "optim.lr=1", "steps=1", "clip=0.001").weights() - start()
    assert free.norm() > 0.1
    assert clipped.norm().item() == pytest.approx(0.001, rel=1e-3)
    torch.testing.assert_close(clipped / clipped.norm(), free / free.norm(), rtol=1e-3, atol=1e-4)


def test_clip_acts_on_the_sum_of_accumulated_batches(go):
    clipped = go("clipped", *PLAIN, "optim.lr=1", "steps=1", "accumulate=4", "clip=0.001").weights() - start()
    assert clipped.norm().item() == pytest.approx(0.001, rel=1e-3)


def test_label_smoothing_is_in_the_training_loss_alone(go):
    run = go("run", *PLAIN, "optim.lr=1e-9", "steps=1", "log_every=1", "task.label_smoothing=0.3", "data.batch_size=64")
    dataset = Digits().build(seed=1)
    torch.manual_seed(1)
    module = Mlp(hidden_sizes=(8,)).build(inputs=(1, 8, 8), classes=10)
    images, labels = dataset.train.batch(order(1, 0, len(dataset.train))[:64])
    smoothed = cross_entropy(module(images), labels, label_smoothing=0.3).item()
    images, labels = dataset.validation.batch(torch.arange(len(dataset.validation)))
    plain = cross_entropy(module(images), labels).item()
    assert run.metrics[0]["train/loss"] == pytest.approx(smoothed, rel=1e-6)
    assert run.metrics[1]["validation/loss"] == pytest.approx(plain, rel=1e-6)


def test_steps_wins_over_epochs_and_need_not_fill_an_epoch(go):
    run = go("run", "steps=25", "epochs=2", "log_every=10")
    assert [each["step"] for each in run.metrics if "train/loss" in each] == [10, 20, 25]
    assert [each["step"] for each in run.metrics if "validation/loss" in each] == [9, 18, 25]
    assert run.summary["steps"] == run.summary["step"] == 25
    assert run.summary["epoch"] == 25 / 9


def test_the_last_step_is_validated_whatever_validate_every_says(go):
    run = go("run", "epochs=5", "validate_every=2")
    assert [each["epoch"] for each in run.metrics if "validation/loss" in each] == [2, 4, 5]


@pytest.mark.parametrize(
    ("words", "steps"),
    [
        ("validate_every=0.5", [5, 9, 14, 18]),
        ("validate_every=0.25", [3, 5, 7, 9, 12, 14, 16, 18]),
        ("validate_every=0.1", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]),
        ("validate_every=0.3333333", [3, 6, 9, 12, 15, 18]),
        ("validate_every=1.5", [14, 18]),
        ("validate_every=1e-9", list(range(1, 19))),
        ("validate_steps=7", [7, 14, 18]),
        ("validate_steps=100", [18]),
    ],
)
def test_validations_come_within_an_epoch_too(go, words, steps):
    """Of 9 steps: at the end of the step in which that part of the epoch is done."""
    run = go("run", "epochs=2", words)
    assert [each["step"] for each in run.metrics if "validation/loss" in each] == steps


@pytest.mark.parametrize("words", ["validate_every=0.3", "validate_steps=4"])
def test_a_run_that_goes_on_has_the_validations_of_one_that_was_not_stopped(go, failed, after_step, differences, words):
    whole = go("whole", "epochs=2", words)
    for step in (3, 4, 8):
        after_step(step, lambda: signal.raise_signal(signal.SIGINT))
        failed(lambda step=step: go(f"run{step}", "epochs=2", words))
        assert differences(go(source=f"run{step}").metrics, whole.metrics) == []


def test_a_validation_takes_as_many_examples_at_once_as_it_is_told(go, monkeypatch, differences):
    taken: list[int] = []
    batch = ImageSplit.batch

    def noted(self: ImageSplit, index: torch.Tensor) -> Any:
        if len(self) == 180:
            taken.append(len(index))
        return batch(self, index)

    monkeypatch.setattr(ImageSplit, "batch", noted)
    whole = go("whole", "steps=2")
    assert taken == [8, 180]
    taken.clear()
    parts = go("parts", "steps=2", "validate_batch=64")
    assert taken == [8, 64, 64, 52]
    assert differences(parts.metrics[-1]["validation/accuracy"], whole.metrics[-1]["validation/accuracy"]) == []
    assert parts.metrics[-1]["validation/loss"] == pytest.approx(whole.metrics[-1]["validation/loss"], rel=1e-6)


def test_a_run_of_one_step(go):
    run = go("run", "steps=1", "log_every=100", "validate_every=7")
    assert run.summary["state"] == "finished"
    assert [(each["step"], "train/loss" in each) for each in run.metrics] == [(1, True), (1, False)]


# the steps that no log covered


def losses(run: Any) -> dict[int, float]:
    """The training loss of each record that has one, by its step."""
    return {int(each["step"]): each["train/loss"] for each in run.metrics if "train/loss" in each}


@pytest.fixture
def each(go):
    """The loss of each of the first 25 steps."""
    return losses(go("each", "steps=25", "log_every=1"))


def mean(each: dict[int, float], first: int, last: int) -> Any:
    return pytest.approx(sum(each[step] for step in range(first, last + 1)) / (last - first + 1), rel=1e-6)


@pytest.mark.parametrize(("log_every", "parts"), [(10, [(1, 10), (11, 20), (21, 25)]), (100, [(1, 25)])])
def test_the_training_loss_of_the_last_steps_is_written(go, each, log_every, parts):
    run = go("run", "steps=25", f"log_every={log_every}")
    assert losses(run) == {last: mean(each, first, last) for first, last in parts}
    assert run.metrics[-2]["step"] == run.metrics[-1]["step"] == 25
    assert "validation/loss" in run.metrics[-1]


def test_a_length_that_logs_divide_has_no_further_one(go):
    assert list(losses(go("run", "steps=20", "log_every=10"))) == [10, 20]


def test_it_is_written_where_a_run_is_interrupted(go, each, failed, after_step, left):
    after_step(14, lambda: signal.raise_signal(signal.SIGINT))
    failed(lambda: go("run", "steps=25", "log_every=10"))
    assert losses(left(Path("run"))) == {10: mean(each, 1, 10), 14: mean(each, 11, 14)}


def test_a_run_that_goes_on_has_it_in_its_next_log_and_not_twice(go, failed, after_step, differences):
    whole = go("whole", "steps=25", "log_every=10", "logger=csv")
    for step in (9, 14, 20):
        after_step(step, lambda: signal.raise_signal(signal.SIGINT))
        failed(lambda step=step: go(f"run{step}", "steps=25", "log_every=10", "logger=csv"))
        run = go(source=f"run{step}")
        assert differences(run.metrics, whole.metrics) == []
        assert (run.folder / "metrics.csv").read_bytes() == (whole.folder / "metrics.csv").read_bytes()
        assert differences(run.state(), whole.state()) == []


class _Stopper(Hooks):
    def __init__(self, moment: str) -> None:
        self.moment = moment

    def on_step(self, training: Any) -> None:
        if self.moment == "step" and training.step == 14:
            training.stop("enough")

    def on_validation(self, training: Any, metrics: dict[str, float]) -> None:
        if self.moment == "validation" and training.step == 18:
            training.stop("enough")


class _Stops(Callback):
    moment: str = "step"

    def build(self) -> Hooks:
        return _Stopper(self.moment)


@pytest.mark.parametrize(("moment", "end"), [("step", 14), ("validation", 18)])
def test_it_is_written_where_a_callback_ends_the_run(go, each, moment, end, differences):
    parts = {"model": Mlp(hidden_sizes=(8,)), "data": Digits(batch_size=128), "steps": 25}
    callbacks = {"stops": _Stops(moment=moment), "learning_rate": LearningRate()}
    run = go("run", of=Default(**parts, callbacks=callbacks))
    assert losses(run) == {10: mean(each, 1, 10), end: mean(each, 11, end)}
    assert all("lr" in record for record in run.metrics if "train/loss" in record)
    before = run.metrics
    assert differences(go(source="run").metrics, before) == []


def test_a_loss_that_is_nan_in_the_last_steps_is_seen(go, failed, after_step):
    def spoil(optimizer: Any, *_: Any) -> None:
        optimizer.param_groups[0]["params"][0].data.fill_(float("nan"))

    handles: list[Any] = []
    after_step(12, lambda: handles.append(register_optimizer_step_post_hook(spoil)))
    try:
        error = failed(lambda: go("run", "steps=14", "log_every=10"))
    finally:
        handles[0].remove()
    assert str(error).splitlines()[0] == "the loss is nan in the steps up to 14"


def test_a_batch_larger_than_the_data_is_all_of_it(go):
    assert go("run", "data.batch_size=5000", "epochs=3").summary["steps"] == 3


def test_more_accumulation_than_there_are_images_is_refused(go, failed):
    error = failed(lambda: go("run", "accumulate=10"))
    assert str(error) == (
        "accumulate=10: 10 batches of 128 are more than the 1258 training images\n  nearest: accumulate=9"
    )
    assert error.status == 2


@pytest.mark.parametrize(("optim", "bases"), [("sgd", {0.1}), ("muon", {0.02, 3e-4})], ids=["one rate", "two rates"])
def test_each_step_is_taken_with_its_own_factor_of_each_base_rate(go, optim, bases):
    seen: list[set[float]] = []
    handle = register_optimizer_step_pre_hook(
        lambda optimizer, *_: seen.append({group["lr"] for group in optimizer.param_groups})
    )
    try:
        go("run", f"optim={optim}", "model.hidden_sizes=[8,8]", "epochs=3")
    finally:
        handle.remove()
    factors = OneCycle().build(steps=27).factors
    assert seen == [{base * factor for base in bases} for factor in factors]


class _Nothing(Callback):
    """Overrides no hook."""

    def build(self) -> Hooks:
        return Hooks()


class _Steps(Hooks):
    def on_step(self, training: Any) -> None:
        pass


class _EachStep(Callback):
    """Overrides on_step alone."""

    def build(self) -> Hooks:
        return _Steps()


def calls(go: Any, name: str, callbacks: dict[str, Callback]) -> int:
    """Python and C calls of four steps between logs, in the loop and below it."""
    count = taken = 0

    def note(frame: Any, event: str, arg: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    def after(*_: Any) -> None:
        nonlocal taken
        taken += 1
        if taken in (3, 7):
            sys.setprofile(note if taken == 3 else None)

    run = Default(
        model=Mlp(hidden_sizes=(8,)), data=Digits(batch_size=128), callbacks=callbacks, steps=9, log_every=100
    )
    handle = register_optimizer_step_post_hook(after)
    try:
        go(name, of=run)
    finally:
        handle.remove()
    return count


def test_hooks_that_are_not_overridden_cost_nothing(go, monkeypatch):
    monkeypatch.setattr(runs._training.loop.time, "monotonic", lambda: 0.0)  # the screen is due by time, not by steps
    bare = calls(go, "bare", {})
    nothing = calls(go, "nothing", {"a": _Nothing(), "b": _Nothing(), "c": _Nothing()})
    one = calls(go, "one", {"a": _Nothing(), "b": _EachStep()})
    assert nothing == bare
    assert one == bare + 4 * 2  # the hook, and the wrapper that names the callback should it fail


SYNCS = ("item", "__float__", "__int__", "__bool__", "__index__", "cpu", "tolist", "numpy", "nonzero", "to")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("optim=sgd", "clip=1", "accumulate=2"),
        ("optim=muon", "task.label_smoothing=0.1", "data.crop=1", "data.flip=true"),
    ],
    ids=["default", "clip and accumulate", "muon and augmentation"],
)
def test_no_step_away_from_a_log_asks_the_device_for_a_value(go, after_step, monkeypatch, words):
    asked: Counter[str] = Counter()
    looking = False

    def spy(name: str) -> Any:
        method = getattr(torch.Tensor, name)

        def wrapper(self: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            if looking and not (name == "to" and "cpu" not in args):
                asked[name] += 1
            return method(self, *args, **kwargs)

        return wrapper

    for name in SYNCS:
        monkeypatch.setattr(torch.Tensor, name, spy(name))

    def look(value: bool) -> None:
        nonlocal looking
        looking = value

    after_step(2, lambda: look(True))
    after_step(8, lambda: look(False))
    go("quiet", "data.batch_size=60", "steps=9", "log_every=9", "callbacks=[learning_rate,early_stopping]", *words)
    assert asked == {}
    look(True)
    go("log", "data.batch_size=60", "steps=9", "log_every=3", *words)
    assert asked["__float__"] >= 3  # the spy does see one


def test_a_log_is_read_one_log_late(go, after_step, monkeypatch):
    now, read = 0, runs._training.loop.Later.read
    reads: list[tuple[float, int]] = []

    def at(step: int) -> None:
        nonlocal now
        now = step

    def noted(self: Any) -> Any:
        metrics = read(self)
        reads.append((metrics["step"], now))
        return metrics

    monkeypatch.setattr(runs._training.loop.Later, "read", noted)
    for step in range(1, 9):
        after_step(step, lambda step=step: at(step))

    go("run", "steps=8", "log_every=2")
    assert reads == [(2, 4), (4, 6), (6, 8), (8, 8)]  # the last at once: a validation follows
