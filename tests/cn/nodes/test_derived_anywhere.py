"""`derive` inside lists and dicts, in place of one value of an instance, and for a node."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Annotated, Any

import pytest
from annotated_types import Ge

from cn import CN, UserError, compose, derive
from cn.cli.explain import explain_text
from cn.cli.help import help_text
from cn.composing.deriving import read_sources
from cn.nodes.to_json import plain
from cn.writing.command_line import words
from cn.writing.python import as_python
from cn.writing.record import dump, load
from tests.cn.conftest import python


class Part(CN):
    depth: int = 9
    size: int


class Lists(CN):
    a: int = 1
    pair: list[int] = [derive(lambda run: run.a), 2]
    both: tuple[float, int] = (derive(lambda run: run.a / 2), derive(lambda run, node: node.pair[0] + 1))
    table: dict[str, Annotated[int, Ge(0)]] = {"x": derive(lambda run: run.a), "y": 5}
    deep: dict[str, Any] = {"k": [{"m": derive(lambda run: run.a)}], "n": 3}
    last: int = derive(lambda run: run.pair[0] + run.table["x"])


class Holder(CN):
    a: int = 2
    part: Part = Part(depth=derive(lambda run: run.a * 10), size=derive(lambda run: run.part.depth + 1))


def test_values_in_containers_are_derived() -> None:
    node = compose(Lists, ["a=4"])
    assert (node.pair, node.both, node.table) == ([4, 2], (2.0, 5), {"x": 4, "y": 5})
    assert (node.deep, node.last) == ({"k": [{"m": 4}], "n": 3}, 8)
    assert compose(Lists).pair == [1, 2]  # each run has a list of its own


def test_one_element_can_be_set_and_the_others_stay_derived() -> None:
    assert compose(Lists, ["pair.0=7"]).pair == [7, 2]
    assert compose(Lists, ["pair.1=7", "a=4"]).pair == [4, 7]
    assert compose(Lists, ["both.0=7", "a=4"]).both == (7.0, 5)
    node = compose(Lists, ["table.y=7", "+table.z=1", "a=4", "deep.n=0", "+deep.k.0.o=1"])
    assert (node.table, node.deep) == ({"x": 4, "y": 7, "z": 1}, {"k": [{"m": 4, "o": 1}], "n": 0})
    assert compose(Lists, ["table={y:7}", "a=4"]).table == {"x": 4, "y": 7}
    assert compose(Lists, ["pair=[5]"]).pair == [5]


def test_a_container_is_derived_again_unless_it_was_touched(tmp_path: Path) -> None:
    dump(compose(Lists, ["both.0=7"]), tmp_path)
    again = compose(load(tmp_path), ["a=9"])
    assert (again.pair, again.both) == ([9, 2], (7.0, 2))
    assert words(compose(Lists)) == []
    assert words(compose(Lists, ["both.0=7"])) == ["both=[7.0,2]"]


def test_what_is_derived_in_a_container_is_checked() -> None:
    with pytest.raises(UserError) as caught:
        compose(Lists, ["a=-1"])
    assert str(caught.value).split("\n")[0] == ("table is dict[str, int >= 0], but it is derived as {'x': -1, 'y': 5}")


def test_an_element_that_is_not_derived_is_checked_in_the_class() -> None:
    body = {"__annotations__": {"pair": list[int]}, "pair": [derive(lambda run: 1), "x"], "__module__": __name__}
    with pytest.raises(UserError, match=r"^Wrong\.pair is list\[int\], but its default is \[derive\(\.\.\.\), 'x'\]"):
        type(CN)("Wrong", (CN,), body)


def test_the_value_of_an_instance_may_be_derived() -> None:
    node = compose(Holder, ["a=3"])
    assert (node.part.depth, node.part.size) == (30, 31)
    assert compose(Holder, ["part.depth=1"]).part == Part(depth=1, size=2)
    assert Part(size=1).depth == Part.depth == 9
    assert compose(Part(depth=derive(lambda part: part.size), size=4)).depth == 4
    assert pickle.loads(pickle.dumps(node)) == node


def test_the_value_of_an_instance_is_recorded_as_given(tmp_path: Path) -> None:
    node = compose(Holder)
    dump(node, tmp_path)
    assert load(tmp_path) == node
    assert compose(Holder, words(node)) == node
    assert compose(load(tmp_path), ["a=5"]).part.depth == 20


def test_pages_say_that_a_value_is_derived() -> None:
    page = explain_text(Holder, None, ["a=4"], "part.depth", None).splitlines()
    assert page[0] == "part.depth = 40"
    assert [line.split()[0] for line in page[1:]] == ["9", "derived"]
    page = explain_text(Lists, None, ["pair.1=3"], "pair", None).splitlines()
    assert (page[0], page[-1].split()) == ("pair = [1, 3]", ["derived", "command", "line,", "pair.1=3"])
    assert "  pair   list[int]" in help_text(Lists, None, [])


CHOICES = {
    "models/net.py": python(
        "from cn import derive",
        "from models import Model",
        "from models.head import Head",
        "from models.head.cls_token import ClsToken",
        "class Net(Model):",
        "    big: bool = False",
        "    head: Head = derive(lambda run, net: ClsToken(dim=64) if net.big else 'mean_pool')",
        "    def build(self): return 'net'",
    ),
    "runs/follow.py": python(
        "from cn import derive",
        "from models import Model",
        "from models.head.mean_pool import MeanPool",
        "from models.net import Net",
        "from models.mlp import MLP",
        "from runs.callbacks import Callback",
        "from runs.default import Default",
        "class Follow(Default):",
        "    model: Model = Net()",
        "    teacher: Model | None = derive(lambda run: MLP if type(run.model.head) is MeanPool else None)",
        "    callbacks: dict[str, Callback] = derive(lambda run: {'one': 'stop'} if run.seed > 1 else {})",
    ),
}


@pytest.fixture
def follow(tree: Path, run: Any) -> Any:
    for path, text in CHOICES.items():
        (tree / path).write_text(text)
    return lambda *words: run("run=follow", *words)


def test_a_choice_follows_other_values(follow: Any) -> None:
    node = follow()
    assert (type(node.model.head).__name__, type(node.teacher).__name__, node.callbacks) == ("MeanPool", "MLP", {})
    node = follow("model.big=true", "seed=2")
    assert (node.model.head.dim, node.teacher, node.callbacks["one"].patience) == (64, None, 5)


def test_a_choice_that_is_typed_takes_its_place(follow: Any) -> None:
    assert follow("model/head=cls_token").model.head.dim == 8
    assert follow("teacher=null").teacher is None
    assert follow("callbacks=[checkpoint]", "seed=2").callbacks.keys() == {"checkpoint"}


def test_values_within_a_derived_node_can_be_set(follow: Any) -> None:
    node = follow("model.head.scale=3", "teacher.width=5", "seed=2", "callbacks.one.patience=1", "+callbacks/b=stop")
    assert (node.model.head.scale, node.teacher.width) == (3.0, 5)
    assert {key: each.patience for key, each in node.callbacks.items()} == {"one": 1, "b": 5}
    assert follow("model.head.dropout=0.5", "model.big=true").model.head.dropout == 0.5
    assert follow("model.head.scale=3").model.head.scale == 3.0
    assert follow().model.head.scale == 1.0


def test_a_wrong_value_within_a_derived_node_is_told(follow: Any) -> None:
    with pytest.raises(UserError) as caught:
        follow("model.head.dropout=0.5")
    assert str(caught.value).split("\n")[:2] == [
        "model.head.dropout=0.5: MeanPool has no field 'dropout'",
        "  defined in models/head/mean_pool.py:4",
    ]


def test_a_derived_choice_that_is_no_option_is_told(tree: Path, follow: Any) -> None:
    file = tree / "models/net.py"
    file.write_text(file.read_text().replace("'mean_pool'", "'mean_pol'"))
    with pytest.raises(UserError) as caught:
        follow()
    assert str(caught.value) == (
        "model.head cannot be derived: no model/head is called 'mean_pol'\n"
        "  options are the subclasses of Head (models/head/__init__.py:4)\n"
        "  nearest: mean_pool\n"
        "  defined in models/net.py:7"
    )


def test_a_derived_node_must_be_complete(tree: Path, follow: Any) -> None:
    file = tree / "models/head/mean_pool.py"
    file.write_text(file.read_text() + "    must: int  # be given\n")
    with pytest.raises(UserError, match=r"^model\.head\.must is required and was not given\n"):
        follow()
    assert follow("model.head.must=3").model.head.must == 3
    from runs.follow import Follow

    open_one = compose(Follow, partial=True)
    assert "must" not in vars(open_one.model.head)


def test_a_record_and_pages_of_a_derived_node(tmp_path: Path, follow: Any) -> None:
    node = follow("seed=2")
    dump(node, tmp_path / ".")
    again = load(tmp_path)
    assert again == node
    assert compose(again, ["model.big=true"]).model.head.dim == 64
    dump(follow("model.head.scale=3"), tmp_path)
    assert type(compose(load(tmp_path), ["model.big=true"]).model.head).__name__ == "MeanPool"
    from runs.follow import Follow

    page = explain_text(Follow, None, ["model.head.scale=3"], "model.head", None).splitlines()
    assert page[0].split() == ["model.head", "=", "MeanPool", "Net,", "models/net.py:7,", "derived"]
    assert page[-1].split()[-3:] == ["command", "line,", "model.head.scale=3"]
    assert "teacher.width" in help_text(Follow, None, [])
    assert "teacher=MLP(width=32)" in as_python(follow())
    read_sources(node)
    assert plain(node)["_derived_"] == ["callbacks", "teacher", "warmup"]


def test_a_patch_may_derive(tree: Path, run: Any) -> None:
    (tree / "runs/patches").mkdir()
    (tree / "runs/patches/own.py").write_text(
        python(
            "from cn import Patch, derive",
            "class Own(Patch):",
            "    changes = {",
            '        "seed": derive(lambda run: run.steps * 2),',
            '        "model.depth": derive(lambda run: run.steps // 10),',
            '        "model.head": derive(lambda run: "mean_pool"),',
            '        "model.head.scale": 4.0,',
            '        "tasks": ["x", derive(lambda run: run.name)],',
            "    }",
        )
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        node = run("patches=own", "steps=40")
    assert (node.seed, node.model.depth, node.model.head.scale, node.tasks) == (80, 4, 4.0, ["x", "x"])
    assert run("patches=own", "seed=1").seed == 1


def test_a_field_with_a_derived_preset_may_be_declared_anew() -> None:
    class Base(CN):
        size: int = 1

    Base(size=derive(lambda run: 2))

    class Wide(Base):
        size: int = 3

    assert Wide().size == 3


class Inward(CN):
    table: dict[str, Any] = {
        "a": derive(lambda run: run.table["b"]["c"] + 1),
        "b": {"c": derive(lambda run: run.size * 2), "d": derive(lambda run: len(run.table["e"]))},
        "e": [derive(lambda run, node: node.table["a"]), {"f": 5}, derive(lambda run: run.table["e"][1]["f"])],
        "g": derive(lambda run: run.table["b"]),
    }
    size: int = 3
    extra: dict[str, Any] = {
        "m": {"n": derive(lambda run: run.o["p"]), "q": derive(lambda run: run.m["n"] + 1)},
        "o": {"p": derive(lambda run: run.size), "r": derive(lambda run: run.m["q"])},
    }


def test_a_value_in_a_container_can_use_others_of_the_same_container() -> None:
    node = compose(Inward)
    assert node.table == {"a": 7, "b": {"c": 6, "d": 3}, "e": [7, {"f": 5}, 5], "g": {"c": 6, "d": 3}}
    assert type(node.table["g"]) is dict
    assert node.extra == {"m": {"n": 3, "q": 4}, "o": {"p": 3, "r": 4}}
    assert compose(Inward, ["table.b.c=1"]).table["a"] == 2


class Circle(CN):
    rows: list[Any] = [{"a": derive(lambda run: run.rows[1]["b"])}, {"b": derive(lambda run: run.rows[0]["a"])}]


def test_values_of_a_container_that_use_each_other_are_refused() -> None:
    with pytest.raises(UserError, match=r"values are derived in a circle: Circle\.rows"):
        compose(Circle)
