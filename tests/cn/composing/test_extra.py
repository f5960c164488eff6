"""`extra: dict[str, Any]` of a node takes what has no field, and `_keeps_` of a run what stays whatever is chosen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cn import CN, compose, instantiate
from tests.cn.conftest import python

FILES = {
    "models/free.py": python(
        "from typing import Any",
        "",
        "from models import Model",
        "",
        "",
        "class Free(Model):",
        "    size: int = 1",
        "    extra: dict[str, Any] = {}",
        "",
        "    def build(self) -> str:",
        "        return str(self.extra)",
    ),
    "runs/kept.py": python(
        "from models import Model",
        "from models.free import Free",
        "from runs.default import Default",
        "",
        "",
        "class Kept(Default):",
        "    model: Model = Free()",
        '    _keeps_ = {"++model.depth": 7, "+model.size": 3, "model.dim": 6}',
    ),
}


@pytest.fixture
def files(tree: Path) -> Path:
    for name, text in FILES.items():
        (tree / name).write_text(text)
    return tree


def test_a_new_word_goes_to_extra(files: Path, run: Callable[..., Any]) -> None:
    made = run("model=free", "+model.width=2", "++model.size=4", "++model.name=[a]").model
    assert (made.size, made.extra) == (4, {"width": 2, "name": ["a"]})
    assert made.width == 2, "it is read as a field is"


def test_a_word_without_a_sign_is_refused(files: Path, refused: Callable[..., str]) -> None:
    assert refused("model=free", "model.width=2").startswith("model.width=2: Free has no field 'width'")


def test_a_run_keeps_what_it_keeps_whatever_is_chosen(files: Path, run: Callable[..., Any]) -> None:
    made = run("run=kept").model
    assert (made.size, made.extra) == (1, {"depth": 7}), "`+` adds what is not there"
    vit = run("run=kept", "model=vit").model
    assert (vit.depth, vit.dim) == (7, 6)
    assert run("run=kept", "model=vit", "model.dim=9").model.dim == 9, "a word that is typed wins"


def test_a_composed_run_keeps_its_values_and_a_node_that_is_chosen_anew_what_its_class_keeps(
    files: Path, run: Callable[..., Any]
) -> None:
    typed = run("run=kept", "model=vit", "model.dim=9")
    assert compose(typed).model.dim == 9
    assert compose(typed, ["seed=3"]).model.dim == 9
    assert compose(typed, ["model=vit/small"]).model.dim == 6


def test_a_target_gets_what_extra_holds() -> None:
    class Bag(CN):
        _target_: str = "builtins.dict"
        a: int = 1
        extra: dict[str, Any] = {"b": 2}

    assert instantiate(Bag()) == {"a": 1, "b": 2}
