"""What a node builds is looked at before the run is made of it."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from data.digits import Digits
from models import Model
from models.mlp import Mlp
from runs.default import Default
from runs.optim import Optim
from runs.optim.adamw import AdamW


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
