"""A run begins from the weights of another or of a file, and trains those that are not frozen."""

from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from cn import compose
from cn.nodes.to_json import plain
from cn.sweeping.planning.plan import identity
from runs._training.initial import begin, freeze
from runs.default import Default

STILL = ("steps=1", "optim=sgd", "optim.lr=1e-30", "optim.weight_decay=0", "schedule=constant")


def layers(run: Any) -> dict[str, torch.Tensor]:
    return run.state("last.pt")["module"]


@pytest.mark.parametrize("source", ["first", "first/best.pt", "first/last.pt"])
def test_a_run_begins_from_the_weights_of_another(go, source):
    first = go("first", "steps=20")
    run = go("run", *STILL, f"init={source}")
    state = first.state("last.pt" if source.endswith("last.pt") else "best.pt")
    assert all(torch.equal(each, layers(run)[name]) for name, each in state["module"].items())
    assert run.log.splitlines()[0] == (
        f"begins from {'first/best.pt' if source == 'first' else source}: 4 of 4 tensors"
    )
    assert run.summary["test/accuracy"] == first.summary["test/accuracy"]
    assert layers(go("other", *STILL))["1.weight"].ne(state["module"]["1.weight"]).any()


@pytest.mark.parametrize(
    "kept",
    [
        lambda weights: weights,
        lambda weights: {"state_dict": weights, "epoch": 3, "hyper_parameters": {"lr": 0.1}},
        lambda weights: {"model": weights, "step": torch.zeros(())},
    ],
    ids=["plain", "lightning", "model"],
)
def test_a_file_of_another_library_is_begun_from(go, kept):
    weights = layers(go("first", "steps=5"))
    torch.save(kept(weights), "weights.pt")
    run = go("run", *STILL, "init=weights.pt")
    assert all(torch.equal(each, layers(run)[name]) for name, each in weights.items())


def test_what_fits_what_is_new_and_what_was_left_out_is_told(go):
    weights = dict(layers(go("first", "steps=5")))
    first, *_, last = weights
    torch.save({first: weights[first], last: torch.zeros(7), "extra.0": torch.ones(2)}, "weights.pt")
    run = go("run", *STILL, "init=weights.pt")
    rest = ", ".join(f"{name} (10, there 7)" if name == last else name for name in list(weights)[1:])
    assert run.log.splitlines()[0] == (f"begins from weights.pt: 1 of 4 tensors; new: {rest}; left out: extra.0")
    assert torch.equal(layers(run)[first], weights[first])


class _Translated(torch.nn.Linear):
    """A layer that knows how another library calls its weights."""

    def published(self, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        if "kernel" not in weights:
            return weights
        return {"weight": weights["kernel"].T, **{name: each for name, each in weights.items() if name != "kernel"}}


def test_a_part_that_knows_a_published_layout_reads_it(here):
    """Wherever it stands in the network; what it has no name for is told as it was called."""
    network = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Sequential(_Translated(2, 3)))
    kernel = torch.randn(2, 3)
    torch.save({"kernel": kernel, "other": torch.ones(1)}, "weights.pt")
    assert begin(network, Path("weights.pt")) == (
        "begins from weights.pt: 1 of 2 tensors; new: 1.0.bias; left out: other"
    )
    assert torch.equal(network.state_dict()["1.0.weight"], kernel.T)
    torch.save(torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Sequential(_Translated(2, 3))).state_dict(), "own.pt")
    assert begin(network, Path("own.pt")) == "begins from own.pt: 2 of 2 tensors"


def test_averaged_weights_are_begun_from_where_a_run_has_them(go):
    first = go("first", "steps=20", "callbacks=ema")
    run = go("run", *STILL, "init=first")
    assert all(torch.equal(each, layers(run)[name]) for name, each in first.state("best.pt")["average"].items())


def test_two_processes_begin_alike(go, together):
    go("first", "steps=5")
    one, two = go("one", "steps=3", "init=first"), together(2, "two", "steps=3", "init=first")
    assert (one.weights() - two.weights()).abs().max() < 1e-6


def test_a_run_that_goes_on_needs_no_more_what_it_began_from(go, failed, after_step, differences):
    go("first", "steps=5")
    whole = go("whole", "steps=12", "init=first")
    after_step(7, lambda: signal.raise_signal(signal.SIGINT))
    failed(lambda: go("run", "steps=12", "init=first"))
    shutil.rmtree("first")
    assert differences(go(source="run").state(), whole.state()) == []
    assert go("run", "mode=eval", source="run") is not None


def test_what_cannot_be_begun_from_is_refused_with_what_is_there(go, failed):
    go("first", "steps=2")
    Path("empty").mkdir()
    Path("noise.pt").write_bytes(b"noise")
    torch.save({"a": 1}, "none.pt")
    torch.save({"a": torch.zeros(3)}, "alien.pt")
    begun = [
        ("nope", "init=nope is neither a run folder nor a file of weights\n  choose from: first"),
        ("empty", "init=empty is neither a run folder nor a file of weights"),
        ("noise.pt", "noise.pt cannot be read as a checkpoint\n"),
        ("none.pt", "none.pt holds no weights: it has no tensor by name"),
        (
            "alien.pt",
            "init=alien.pt: none of its 1 tensors fits the network\n"
            "  it has: a\n  the network has: 1.weight, 1.bias, 3.weight, 3.bias",
        ),
        ("first/step-000099.pt", "init=first/step-000099.pt is neither a run folder nor a file of weights"),
    ]
    for number, (init, said) in enumerate(begun):
        error = failed(lambda init=init, number=number: go(f"run{number}", "steps=1", f"init={init}"))
        assert str(error).startswith(said), init


def test_what_is_frozen_stays_and_all_else_learns(go, differences):
    run = go("run", "steps=4", "freeze=['1.*']", "optim.weight_decay=0.5")
    start = go("start", *STILL)
    same = {name: torch.equal(each, layers(start)[name]) for name, each in layers(run).items()}
    assert same == {"1.weight": True, "1.bias": True, "3.weight": False, "3.bias": False}
    assert run.summary["parameters"] == 90  # the last layer's
    assert run.log.splitlines()[0].startswith("Mlp(hidden_sizes=(8,)) on Digits: 90 parameters, ")


def test_a_frozen_run_goes_on_to_the_bit(go, failed, after_step, differences):
    words = ("steps=12", "freeze=['1.*']", "clip=0.1")
    whole = go("whole", *words)
    after_step(5, lambda: signal.raise_signal(signal.SIGINT))
    failed(lambda: go("run", *words))
    assert differences(go(source="run").state(), whole.state()) == []


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_processes_freeze_alike(go, together, parallel):
    words = ("steps=3", "freeze=['1.*']", "optim=sgd")
    one, two = go("one", *words), together(2, "two", *words, f"parallel={parallel}")
    assert (one.weights() - two.weights()).abs().max() < 1e-6
    assert two.summary["parameters"] == 90


def test_patterns_that_freeze_nothing_or_everything_are_refused(go, failed):
    error = failed(lambda: go("none", "steps=1", "freeze=[3.wieght]"))
    assert str(error) == (
        "freeze: no weight of the network is called '3.wieght'\n"
        "  nearest: 3.weight, 1.weight\n  it has: 1.weight, 1.bias, 3.weight, 3.bias"
    )
    error = failed(lambda: go("all", "steps=1", "freeze=['*']"))
    assert str(error) == "freeze=['*']: every weight of the network would be frozen, and nothing be trained"


def test_freezing_nothing_is_allowed():
    freeze(torch.nn.Linear(2, 2), [])


def test_a_trial_is_the_same_as_before_there_was_anything_to_begin_from():
    """The hash of 2026-11-28, when runs had none of these fields."""
    run = compose(Default, ["seed=3"])
    assert identity(run, plain(run)) == "36c1e44f08"
    for more in ("freeze=[a]", "init=x", "validate_steps=5", "validate_batch=64"):
        other = compose(Default, ["seed=3", more])
        assert identity(other, plain(other)) != "36c1e44f08"
    assert re.fullmatch(r"[0-9a-f]{10}", identity(run, plain(run)))
