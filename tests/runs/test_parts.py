"""What a node builds is looked at before the run is made of it."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import pytest

from cn import UserError, compose
from data.digits import Digits
from models import Model
from models.dense import Dense
from models.mlp import Mlp
from runs import _train
from runs.default import Default
from runs.optim import Optim
from runs.optim.adamw import AdamW
from runs.task import Task
from runs.task.classify import Classify


class Forgot(Model):
    def build(self, *, inputs: tuple[int, int, int], classes: int) -> Any:
        Mlp().build(inputs=inputs, classes=classes)


class Blank(Digits):
    def build(self, *, seed: int) -> Any:
        return 3


class Idle(Optim):
    def build(self, module: Any) -> Any:
        return [module]


@pytest.mark.parametrize(
    ("part", "node", "gave", "kind"),
    [
        ("model", Forgot(), "None", "a Module"),
        ("data", Blank(), "3", "a Dataset"),
        ("optim", Idle(), "[Sequential(", "an Optimizer"),
    ],
    ids=["model", "data", "optim"],
)
def test_what_is_no_such_part_is_named_and_so_is_its_class(part, node, gave, kind, go, failed):
    parts: dict[str, Any] = {"model": Mlp(hidden_sizes=(8,)), "data": Digits(), "optim": AdamW()} | {part: node}
    error = failed(lambda: go("run", of=Default(**parts, steps=2)))
    first, *rest = str(error).split("\n")
    name = type(node).__name__
    assert first.startswith(f"{part}: {name}.build() gave {gave}")
    assert first.endswith(f", and must give {kind}")
    line = inspect.getsourcelines(type(node))[1]
    assert rest == [f"  {name} is defined in tests/runs/test_parts.py:{line}"]
    assert error.status == 2


class Narrow(Mlp):
    classes: int = 5

    def build(self, *, inputs: tuple[int, int, int], classes: int) -> Any:
        return super().build(inputs=inputs, classes=self.classes)


class Pair(Mlp):
    def build(self, *, inputs: tuple[int, int, int], classes: int) -> Any:
        network = super().build(inputs=inputs, classes=classes)
        network.register_forward_hook(lambda module, given, logits: (logits, logits))
        return network


@pytest.mark.parametrize(
    ("model", "makes"),
    [(Narrow(), "(8, 5)"), (Narrow(classes=12), "(8, 12)"), (Pair(), "tuple")],
    ids=["few", "many", "two"],
)
def test_a_network_has_one_logit_for_each_class(model, makes, go, failed):
    error = failed(lambda: go("run", of=Default(model=model, data=Digits(), steps=2)))
    cls = type(model)
    line = inspect.getsourcelines(cls)[1]
    assert str(error).split("\n")[:2] == [
        f"model: {cls.__name__}.build() gave a network that makes {makes} of 8 images, and must make (8, 10)",
        f"  {cls.__name__} is defined in tests/runs/test_parts.py:{line}",
    ]


def test_trying_out_a_few_examples_takes_no_random_number_and_changes_no_statistics(go, differences, monkeypatch):
    """Dropout, as it would be in training, and batch norm."""
    parts = {"model": Dense(), "data": Digits(), "steps": 12}
    one = go("one", of=Default(**parts))
    monkeypatch.setattr(_train, "try_out", lambda *_: ("validation/loss", "validation/accuracy"))
    two = go("two", of=Default(**parts))
    assert differences(one.state(), two.state()) == []


class Open(Default):
    model: Model | None = None  # type: ignore[assignment]
    task: Task | None = Classify()  # type: ignore[assignment]


def test_a_part_that_is_null_is_refused_and_can_be_chosen():
    assert compose(Open, ["model=mlp"]).model == Mlp()
    for words, name in ([], "model"), (["model=mlp", "task=null"], "task"):
        with pytest.raises(UserError) as caught:
            compose(Open, words)
        first, second, third = str(caught.value).split("\n")
        assert [first, second] == [f"{name} is null, and every run has one", f"  write: {name}=NAME"]
        assert third.startswith("  Open is defined in ")


class Bare(Model):
    """It neither builds a network nor names one."""


class Letters(Mlp):
    _needs = "images"  # type: ignore[assignment]


class Inner(Letters): ...


class Held(Digits):
    _holds = "images"  # type: ignore[assignment]


def line_of(text: str) -> int:
    return inspect.getsource(sys.modules[__name__]).split("\n").index(text) + 1


def test_a_model_that_builds_nothing_is_refused_before_anything_is_loaded():
    with pytest.raises(UserError) as refused:
        compose(Default(model=Bare()))
    assert str(refused.value) == (
        "Bare does not define build(), and names no target\n"
        f"  defined in tests/runs/test_parts.py:{line_of('class Bare(Model):')}\n"
        '  write: def build(self, ...), or _target_: str = "package.name"'
    )


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ({"model": Letters()}, "Letters._needs"),
        ({"model": Inner()}, "Letters._needs"),
        ({"data": Held()}, "Held._holds"),
    ],
)
def test_a_text_in_place_of_a_tuple_of_texts_is_refused(parts: dict[str, Any], name: str):
    with pytest.raises(UserError) as refused:
        compose(Default(**parts))
    field = name.partition(".")[2]
    line = line_of(f'    {field} = "images"  # type: ignore[assignment]')
    assert str(refused.value) == (
        f"{name} is 'images', and not a tuple of texts\n"
        f'  write: {field} = ("images",)\n'
        f"  defined in tests/runs/test_parts.py:{line}"
    )
