"""The words that `words` and `command` give compose the node again, and are the ones that a reader would type."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cn import CN, UserError, compose
from cn.composing.overrides import parse
from cn.nodes.field_types import same
from cn.nodes.traversal import thaw
from cn.writing.command_line import UnwritableError, command, word, words
from tests.cn import zoo

RUNS = [
    ([], []),
    (["run=cifar/vit"], ["run=cifar/vit"]),
    (["run=cifar/vit", "model=vit", "seed=1"], ["run=cifar/vit", "model=vit", "seed=1"]),
    (["model=vit"], []),  # is there already
    (["model=vit/small", "model.depth=2", "seed=3"], ["model=vit/small", "model.depth=2", "seed=3"]),
    (["model.head.dropout=0.5", "model.depth=12"], ["model.head.dropout=0.5"]),
    (["model/head=mean_pool", "model.head.scale=2"], ["model/head=mean_pool", "model.head.scale=2.0"]),
    (["teacher=mlp", "teacher.width=8"], ["teacher=mlp", "teacher.width=8"]),
    (["run=bare", "optim=adamw", "optim.lr=1"], ["run=bare", "optim=adamw", "optim.lr=1.0"]),
    (["callbacks=[]"], ["callbacks=[]"]),
    (["callbacks=[stop]", "callbacks.stop.every=2"], ["callbacks=[stop]", "callbacks.stop.every=2"]),
    (["callbacks=[checkpoint,stop]"], ["+callbacks=stop"]),
    (["callbacks=[stop,checkpoint]"], ["callbacks=[stop,checkpoint]"]),
    (["callbacks/checkpoint=stop", "callbacks.checkpoint.patience=2"],) * 2,
    (["+callbacks/last=checkpoint", "callbacks.last.keep=9"],) * 2,
    (["+callbacks/last=stop", "+callbacks/stop=stop"],) * 2,
    (["+callbacks=stop", "+callbacks/last=stop"],) * 2,
    (["opts.a=2"], ["opts.a=2"]),
    (["+opts.b=2"], ["+opts.b=2"]),
    (["~opts.a"], ["++opts={}"]),
    (["~opts.a", "+opts.b=2"], ["++opts={b:2}"]),
    (["opts={a b:2}"], ["opts={a\\ b:2}"]),
    (["warmup=5"], ["warmup=5"]),  # given, though it is derived as that
    (["steps=40"], ["steps=40"]),  # from which warmup is derived
    (["clip=1", "mode=eval", "precision=bf16", "out=a/b.c", "flag=true"],
     ["clip=1.0", "mode=eval", "precision=bf16", "out=a/b.c", "flag=true"]),
    (["betas=[0.5,1]", "tasks=[]", "either='4'"], ["betas=[0.5,1.0]", "tasks=[]", "either='4'"]),
    (["tasks=[a,'b,c','null']"],) * 2,
    (["anything={a:{b:[1,null,true,1.5,x]}}"], ["anything={a:{b:[1,null,true,1.5,x]}}"]),
    (["name='\\${seed}'"], ["name=$\\{seed\\}"]),
    (["name='\\${it}\\'s'"], ["name=\"\\${it}'s\""]),
    (["name=${mode}"], ["name=train"]),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "expected"), RUNS)
def test_a_run_is_written_as_one_would_type_it(run: Any, typed: list[str], expected: list[str]) -> None:
    from runs import Run

    node = run(*typed)
    named = expected if expected and expected[0].startswith("run=") else ["run=default", *expected]
    assert command(node) == named
    assert words(node) == named[1:]
    assert compose(Run, named) == node
    assert compose(type(node), named[1:]) == node


def test_without_a_base_a_required_value_is_written_even_if_it_is_null(node_tree: Any) -> None:
    node_tree({"boxes.py": "from cn import CN\nclass Box(CN):\n    lid: int | None\n    inner: dict[str, CN]\n"})
    from boxes import Box  # type: ignore

    assert words(Box(lid=None, inner={})) == ["lid=null", "inner=[]"]
    assert words(Box(lid=None, inner={}), Box(lid=3, inner={})) == ["lid=null"]
    assert words(Box()) == []  # what has no value is left out


def test_a_base_is_what_the_words_go_on_top_of(run: Any) -> None:
    base = run("model=vit/small", "teacher=mlp", "callbacks=[checkpoint,stop]", "opts={b:2}", "warmup=7", "seed=2")
    node = run("callbacks=[stop]", "+callbacks/a=stop", "steps=60", "opts={c:3}", "warmup=7")
    expected = [
        "model=vit",
        "model.depth=12",
        "model/head=cls_token",
        "model.head.dim=16",
        "teacher=null",
        "~callbacks.checkpoint",
        "+callbacks/a=stop",
        "steps=60",
        "seed=1",
        "~opts.b",
        "+opts.c=3",
    ]
    assert words(node, base) == expected
    assert compose(base, expected) == node
    assert words(base, base) == []
    assert "callbacks=[stop,checkpoint]" in words(run("callbacks=[stop,checkpoint]"), base)
    assert words(node, run("warmup=7", "steps=60", "callbacks=[stop]", "opts={c:3}")) == ["+callbacks/a=stop"]


def test_a_derived_value_of_the_base_is_derived_anew(run: Any) -> None:
    derived, given = run("steps=100"), run("warmup=5")
    assert derived == given
    assert words(derived, given) == []
    assert words(given, derived) == ["warmup=5"]
    assert words(run("steps=200"), given) == ["steps=200", "warmup=10"]
    assert words(run("steps=200"), derived) == ["steps=200"]


def test_a_node_at_an_address_is_chosen_unless_it_is_there(run: Any) -> None:
    from models.head.cls_token import ClsToken  # type: ignore
    from models.vit import ViT  # type: ignore

    ClsToken, ViT = cast("Any", ClsToken), cast("Any", ViT)  # noqa: N806
    base = run("model=mlp")
    node = ViT(dim=96, head=ClsToken(dropout=0.5))
    whole = ["model=vit", "model.dim=96", "model/head=cls_token", "model.head.dropout=0.5"]
    assert words(node, base.model, at="model") == whole
    assert words(node, None, at="teacher") == [each.replace("model", "teacher", 1) for each in whole]
    assert words(node, ViT(dim=192), at="model") == ["model.dim=96", *whole[2:]]
    assert words(node, node, at="model") == []
    assert words(ClsToken(dim=4), node.head, at="model.head") == ["model.head.dim=4", "model.head.dropout=0.0"]
    assert words(ClsToken(dim=4), None, at="model/head") == ["model/head=cls_token", "model.head.dim=4"]
    assert compose(base, words(node, base.model, at="model")).model == node


VALUES = [
    (None, "null"), (True, "true"), (False, "false"), (0, "0"), (-3, "-3"), (10**30, "1" + "0" * 30),
    (0.1, "0.1"), (-0.0, "-0.0"), (1e-300, "1e-300"), (1e22, "1e+22"), (math.inf, "inf"), (-math.inf, "-inf"),
    ("", "''"), ("vit/small", "vit/small"), ("../a.b", "../a.b"), ("a b", "'a b'"), (" ", "' '"), ("é", "'é'"),
    ("1", "'1'"), (".5", "'.5'"), ("1e3", "'1e3'"), ("Null", "'Null'"), ("true", "'true'"), ("nan", "'nan'"),
    ("infinite", "infinite"), ("-x", "'-x'"), ("a,b", "'a,b'"), ("[a]", "'[a]'"), ("{a:b}", "'{a:b}'"), ("~", "'~'"),
    ("it's", '"it\'s"'), ('"', "'\"'"), ("'\"", "'\\'\"'"), ("\\", "'\\\\'"), ("a\\b", "'a\\b'"), ("f(x)", "'f(x)'"),
    ("a\nb", "'a\nb'"), ("???", "'???'"), ("\u017fo", "'\u017fo'"),
    ("${x}", "$\\{x\\}"), ("\\${x}", "\\\\$\\{x\\}"), ("$", "'$'"),
    ([], "[]"), ([1, "b c", [None, "x"]], "[1,'b c',[null,x]]"), ({}, "{}"), ({"a": {"b": [1]}}, "{a:{b:[1]}}"),
    ({"a b": 1, "c:d": "", "\\": 2}, "{a\\ b:1,c\\:d:'',\\\\:2}"), ({1: 2, -1: 3}, "{1:2,-1:3}"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text"), VALUES)
def test_a_value_is_written_as_hydra_reads_it_back(value: Any, text: str) -> None:
    assert word("x.y", value) == f"x.y={text}"
    for read in (parse([word("x.y", value)])[0], parse(shlex.split(shlex.join([word("x", value)])))[0]):
        assert same(read.value, value)
        assert not read.interpolated


@pytest.mark.parametrize("value", ["${é}", "\\${'", "'${", ["${x}", "${'"], {"a": {"b": "${é"}, "c": "\\\\${x}"}])
def test_a_text_that_must_be_quoted_is_interpolated_to_itself(value: Any) -> None:
    assert compose(zoo.Holders, [word("anything", value)]).anything == value
    assert compose(zoo.Holders, words(zoo.Holders(anything=value))).anything == value


def test_values_that_no_literal_of_hydra_is_are_written_as_their_text() -> None:
    assert word("x", Path("a b/c")) == "x='a b/c'"
    assert word("x", Path()) == "x=."
    assert word("x", (zoo.Color.dark_blue, 1.0)) == "x=[dark_blue,1.0]"
    assert word("x", {zoo.Color.red: math.nan}) == "x={red:nan}"


def test_a_key_may_choose_and_add() -> None:
    assert word("model/head", "cls_token") == "model/head=cls_token"
    assert word("+callbacks/last", "stop") == "+callbacks/last=stop"
    assert word("++opts.$a-b.0", 1) == "++opts.$a-b.0=1"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("a b", 1, "'a b' cannot be a key on a command line"),
        ("", 1, "'' cannot be a key on a command line"),
        ("a./c", 1, "'a./c' cannot be a key on a command line"),
        ("x", {"é": 1}, "'é' cannot be a key on a command line"),
        ("x", {"": 1}, "'' cannot be a key on a command line"),
        ("x", [b"a"], "a bytes cannot be written on a command line"),
        (
            "model",
            zoo.Plain(),
            "model is a node: it takes more than a word, which words(node, at='model') gives",
        ),
    ],
)
def test_a_word_that_cannot_be_is_refused(key: str, value: Any, message: str) -> None:
    with pytest.raises(UnwritableError) as caught:
        word(key, value)
    assert str(caught.value) == message


def refused(node: Any, base: Any = None) -> str:
    with pytest.raises(UnwritableError) as caught:
        words(node, base)
    return str(caught.value)


def test_a_key_of_a_dict_may_be_what_is_written_in_only_one_way() -> None:
    assert words(zoo.Holders(anything={"a.b": 1})) == ["anything={a.b:1}"]
    assert words(zoo.Holders(anything={"null": {"1": 2}})) == [
        "++anything={}",
        "+anything.null={}",
        "+anything.null.1=2",
    ]
    assert words(zoo.Holders(keys={"a.b": 1, "c": 2}), zoo.Holders(keys={"c": 1, "a.b": 1})) == ["++keys={a.b:1,c:2}"]


def test_a_value_that_is_read_as_another_is_refused() -> None:
    assert refused(zoo.Holders(either=Path("a"))) == (
        "Holders.either cannot be made PosixPath('a') on a command line\n"
        "  defined in tests/cn/zoo.py:42\n"
        "  either=a makes it 'a'"
    )
    assert refused(zoo.Both(child=zoo.Plain(), several={"a": zoo.Holders(lists=(1,))})) == (
        "Holders.lists cannot be made (1,) on a command line\n"
        "  defined in tests/cn/zoo.py:51\n"
        "  several.a.lists=[1] makes it [1]"
    )
    assert refused(zoo.Holders(table={"é": []})) == (
        "Holders.table cannot be made {'é': []} on a command line\n"
        "  defined in tests/cn/zoo.py:48\n"
        "  'é' cannot be a key on a command line"
    )
    assert refused(zoo.Both(child=zoo.Plain(number=1), several={"a/b": zoo.Plain()})) == (
        "'several/a/b' cannot be a key on a command line, so no node is chosen there\n  defined in tests/cn/zoo.py:60"
    )
    assert refused(zoo.Both(several={"a b": zoo.Plain()})) == (
        "'several/a b' cannot be a key on a command line, so no node is chosen there\n  defined in tests/cn/zoo.py:60"
    )


def test_an_entry_whose_name_is_no_key_can_stay_and_go_but_not_change() -> None:
    base = zoo.Both(several={"a.b": zoo.Plain(), "c": zoo.Plain()})
    assert words(zoo.Both(several={"a.b": zoo.Plain(), "c": zoo.Plain(number=1)}), base) == ["several.c.number=1"]
    assert words(zoo.Both(several={}), base) == ["several=[]"]
    assert refused(zoo.Both(several={"a.b": zoo.Plain(number=1), "c": zoo.Plain()}), base) == (
        "Plain.number cannot be made 1 on a command line\n"
        "  defined in tests/cn/zoo.py:29\n"
        "  'several.a.b.number' cannot be a key on a command line"
    )


def test_a_class_that_nobody_can_choose_is_refused(node_tree: Any) -> None:
    node_tree(PARTS)
    from parts import Part  # type: ignore
    from parts._hidden import Hidden  # type: ignore
    from parts.box import Box  # type: ignore
    from scripts import Loose  # type: ignore

    class Local(Part): ...  # type: ignore

    def lid(node: Any) -> str:
        return refused(Box(lid=node))

    assert lid(Hidden()) == (
        "Hidden cannot be chosen on a command line: its name, or that of its file, begins with an underscore\n"
        "  defined in parts/_hidden.py:2"
    )
    assert lid(Part()) == (
        "Part cannot be chosen on a command line: it stands in an __init__.py, as contracts do\n"
        "  defined in parts/__init__.py:2"
    )
    assert lid(Loose()) == (
        "Loose cannot be chosen on a command line: its file is in no folder\n  defined in scripts.py:2"
    )
    name = "test_a_class_that_nobody_can_choose_is_refused.<locals>.Local"
    assert lid(Local()).startswith(f"{name} cannot be chosen on a command line: it is defined in a function\n")
    with pytest.raises(UnwritableError, match="Hidden cannot be chosen"):
        command(Hidden())


def test_a_class_that_its_program_composes_as_it_is_needs_no_choice(node_tree: Any) -> None:
    walk = "from cn import CN\nclass Walk(CN):\n    steps: int = 1\nclass Long(Walk):\n    steps: int = 9\n"
    node_tree({"walks.py": walk, "zoo/__init__.py": "", "zoo/walks.py": walk})
    from walks import Long, Walk  # type: ignore
    from zoo.walks import Walk as Inner  # type: ignore

    for cls in (Walk, Inner):
        found = command(cls(steps=3))
        assert found == ["steps=3"]
        assert compose(cls, found) == cls(steps=3)
    with pytest.raises(UnwritableError, match="Long cannot be chosen"):  # a program of Walk would make a Walk of it
        command(Long())


def test_a_target_is_of_its_class(node_tree: Any) -> None:
    node_tree({"targets.py": "from cn import CN\nclass Target(CN):\n    _target_: str = 'a.b'\n    x: int = 1\n"})
    from targets import Target  # type: ignore

    assert words(Target(x=2)) == ["x=2"]
    assert refused(Target(_target_="c.d")) == (
        "Target._target_ cannot be made 'c.d' on a command line\n"
        "  defined in targets.py:3\n"
        "  its name begins with an underscore"
    )


def test_a_node_is_not_made_of_another_class() -> None:
    with pytest.raises(UserError) as caught:
        words(zoo.Plain(), zoo.Holders())
    assert str(caught.value) == "no overrides make a Plain of a Holders\n  defined in tests/cn/zoo.py:28"


PARTS = {
    "parts/__init__.py": "from cn import CN\nclass Part(CN): ...\n",
    "parts/bolt.py": """
from parts import Part
class Bolt(Part):
    size: int = 1
    tags: dict[str, str] = {"a": "b"}
""",
    "parts/nut/m3.py": "from parts import Part\nclass M3(Part):\n    width: float = 3.0\n",
    "parts/box.py": """
from parts import Part
from parts.bolt import Bolt
class Box(Part):
    lid: Part | None = None
    inner: dict[str, Part] = {"bolt": Bolt(size=2), "nut_m3": Bolt()}
""",
    "parts/true.py": "from parts import Part\nclass True_(Part):\n    nothing: None = None\n",
    "parts/_hidden.py": "from parts import Part\nclass Hidden(Part): ...\n",
    "scripts.py": "from parts import Part\nclass Loose(Part): ...\n",
}
NAMES = st.sampled_from(["bolt", "nut_m3", "box", "true", "a", "B-1", "_c"])
# what is both in a dict and interpolated comes after all else, so that its place cannot always be kept
unquoted = st.text("ab${}[]:,= ()") | st.sampled_from(["${x}", "a\\b", "${", "null", "1_0", "-.5", "nan", "it's"])
odd = (st.text() | st.text("\\'\"{}$[],:=() x") | unquoted).filter(lambda text: "\\${" not in text)
KEYS = st.sampled_from(["a", "b", "null", "1", "1_0", "True", "x-$y"])


@pytest.mark.slow
def test_nodes_in_nodes_are_written_whatever_their_names_and_order(node_tree: Any) -> None:
    node_tree(PARTS)
    from parts.bolt import Bolt  # type: ignore
    from parts.box import Box  # type: ignore
    from parts.nut.m3 import M3  # type: ignore
    from parts.true import True_  # type: ignore

    leaf = st.builds(Bolt, size=st.integers(0, 3), tags=st.dictionaries(KEYS, unquoted, max_size=3))
    leaf |= st.builds(M3, width=st.floats()) | st.builds(True_)
    part = st.recursive(
        leaf, lambda inner: st.builds(Box, lid=st.none() | inner, inner=st.dictionaries(NAMES, inner, max_size=4))
    )
    box = st.builds(Box, lid=st.none() | part, inner=st.dictionaries(NAMES, part, max_size=4))

    @given(box, st.none() | box)
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def written(node: CN, base: CN | None) -> None:
        found = words(node, base)
        assert compose(type(node) if base is None else base, found) == node
        assert words(node, node) == []
        assert words(compose(type(node), words(node))) == words(node)

    written()


anything = st.recursive(
    st.none() | st.booleans() | zoo.integer | zoo.real | unquoted,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)
holders = st.builds(
    zoo.Holders,
    maybe=st.none() | zoo.integer,
    either=st.none() | zoo.integer | zoo.real | odd | st.booleans(),
    texts=st.lists(odd, max_size=4),
    pair=st.tuples(zoo.integer, odd),
    many=st.lists(zoo.real, max_size=4).map(tuple),
    nested=st.lists(st.dictionaries(st.text("ab (:\\", min_size=1), st.lists(odd).map(tuple), max_size=2), max_size=2),
    table=st.dictionaries(
        KEYS, st.lists(zoo.integer, max_size=2) | st.dictionaries(KEYS, zoo.real, max_size=2), max_size=3
    ),
    numbers=st.dictionaries(zoo.integer, odd, max_size=3),
    colors=st.dictionaries(zoo.color, zoo.paths, max_size=2),
    lists=st.none() | st.lists(zoo.integer, max_size=3) | st.lists(odd, min_size=1, max_size=3),
    keys=st.dictionaries(KEYS, zoo.integer, max_size=2),
)


@pytest.mark.slow
@given(zoo.plains | holders)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_values_of_every_kind_are_written(node: CN) -> None:
    found = words(node)
    assert compose(type(node), found) == node
    assert words(node, thaw(node)) == []


@pytest.mark.slow
@given(st.tuples(zoo.boths, zoo.boths) | st.tuples(zoo.holders, zoo.holders))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_a_command_line_can_say_is_written_and_the_rest_refused(pair: tuple[CN, CN]) -> None:
    node, base = pair
    found, message = None, ""
    try:
        found = words(node, base)
    except UnwritableError as error:
        message = str(error)
    if found is None:
        assert "defined in tests/cn/zoo.py:" in message
        assert len(message.split("\n")) <= 6
    else:
        assert compose(base, found) == node
