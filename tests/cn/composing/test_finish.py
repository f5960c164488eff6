"""What a class computes or checks in a run changes nothing of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cn import CN, UserError, compose, derive
from cn.writing.record import unplain
from tests.cn.conftest import python


class Part(CN):
    x: int = 3


class Sets(Part):
    def check(self) -> None:
        self.x = 4


class Deletes(Part):
    def check(self) -> None:
        del self.x


class Whole(CN):
    part: Part = Part()
    epochs: int = 1


class SetsBelow(Whole):
    def check(self) -> None:
        self.part.x = 4


HERE = "it was tried in tests/cn/composing/test_finish.py"
INSTEAD = "  check() refuses values, and sets none; to work one out: NAME: TYPE = derive(lambda run: ...)"
FROZEN = "a composed node is frozen"
KEPT = "a node keeps all of its fields"


@pytest.mark.parametrize("words", [[], ["part.x=5"]])
@pytest.mark.parametrize(
    ("whole", "error"),
    [
        (Whole(part=Sets()), f"part: Sets cannot be checked: Sets.x cannot be set: {FROZEN}\n  {HERE}:21"),
        (Whole(part=Deletes()), f"part: Deletes cannot be checked: Deletes.x cannot be deleted: {KEPT}"),
        (SetsBelow(), f"SetsBelow cannot be checked: Part.x cannot be set: {FROZEN}\n  {HERE}:36"),
    ],
    ids=["of itself", "away", "of a child"],
)
def test_a_check_that_changes_a_value_is_refused(whole: Any, error: str, words: list[str]) -> None:
    with pytest.raises(UserError) as refused:
        compose(whole, words)
    assert str(refused.value) == f"{error}\n{INSTEAD}"
    assert refused.value.status == 2


def three_epochs(run: Any) -> int:
    run.epochs = 3
    return 1


class Changes(Whole):
    steps: int = derive(three_epochs)


@pytest.mark.parametrize("words", [[], ["epochs=7"]])
def test_a_derived_value_whose_function_changes_another_is_refused(words: list[str]) -> None:
    with pytest.raises(UserError) as refused:
        compose(Changes, words)
    assert str(refused.value) == (
        f"Changes.steps cannot be derived: Changes.epochs cannot be set: {FROZEN}\n"
        f"  {HERE}:63\n"
        "  write: a function that returns the value of its field, and sets no other"
    )
    assert compose(Changes, ["steps=2", "epochs=7"]).epochs == 7


def test_so_is_one_whose_value_is_read_from_a_record() -> None:
    with pytest.raises(UserError, match=r"^Changes\.steps cannot be derived: Changes\.epochs cannot be set"):
        unplain({"_class_": f"{__name__}:Changes", "part": {"_class_": f"{__name__}:Part", "x": 1}, "epochs": 7})


def changed(run: Any) -> Part:
    run.epochs = 3
    return Part()


class ChangesEarly(Whole):
    more: Part = derive(changed)


def test_so_is_one_that_is_computed_early_since_a_value_in_it_is_set() -> None:
    with pytest.raises(UserError, match=r"^ChangesEarly\.more cannot be derived: ChangesEarly\.epochs cannot be set"):
        compose(ChangesEarly, ["more.x=2", "epochs=7"])


def own(run: Any) -> Part:
    made = Part()
    made.x = run.epochs
    return made


class Makes(Whole):
    early: Part = derive(own)
    late: Part = derive(own)


def test_a_function_may_change_the_node_that_it_makes_and_overrides_change_it_after() -> None:
    run = compose(Makes, ["epochs=7", "early.x=8"])
    assert (run.early.x, run.late.x) == (8, 7)


class Endless(Part):
    next: Part = derive(lambda run: Endless())


class Several(Part):
    more: dict[str, Part] = derive(lambda run: {"a": Several()})


@pytest.mark.parametrize(
    ("cls", "address", "line"),
    [(Endless, ".".join(["next"] * 51), 119), (Several, ".".join(["more.a"] * 25 + ["more"]), 123)],
)
def test_nodes_that_are_derived_in_one_another_have_an_end(cls: Any, address: str, line: int) -> None:
    with pytest.raises(UserError) as refused:
        compose(cls)
    shown = address if len(address) <= 200 else f"{address[:120]} ... {address[-60:]}"
    assert str(refused.value) == (
        f"nodes are derived in one another without an end: {shown}\n"
        f"  defined in tests/cn/composing/test_finish.py:{line}\n"
        "  write: a function that returns a node with given nodes"
    )


class Own(Part):
    part: Part = derive(lambda run: run.early)


class Whole(CN):
    early: Own = Own()


def test_a_node_that_is_derived_as_what_holds_it_is_refused() -> None:
    with pytest.raises(UserError) as refused:
        compose(Whole)
    assert str(refused.value) == (
        "early.part is derived as the node that holds it, which has no end\n"
        "  defined in tests/cn/composing/test_finish.py:142\n"
        "  write: a function that returns a part of that node"
    )


def test_the_command_line_is_told_so_too(program: Any, tree: Path) -> None:
    text = python("from models.mlp import MLP", "class Foo(MLP):", "    def check(self):", "        self.width = 4")
    (tree / "models/foo.py").write_text(text)
    done = program("model=foo", "model.width=5")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "model: Foo cannot be checked: Foo.width cannot be set: a composed node is frozen\n"
        "  it was tried in models/foo.py:4\n"
        f"{INSTEAD}\n"
    )
