"""Overrides change fields and elements of containers; as in Hydra, a dict is merged and a list replaced."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest

from cn import CN, UserError, compose


class Color(Enum):
    red = 1
    blue = 2


class Node(CN):
    size: int = 1
    names: list[str] = ["a", "b"]
    empty: list[int] = []
    pair: tuple[float, str] = (0.5, "x")
    opts: dict[str, int] = {"a": 1, "b": 2}
    deep: dict[str, dict[str, list[int]]] = {"x": {"y": [1, 2]}}
    pairs: dict[str, tuple[int, str]] = {"a": (1, "x")}
    numbers: dict[int, str] = {1: "one"}
    colors: dict[Color, float] = {Color.red: 1.0}
    either: int | dict[str, int] | list[int] = {"a": 1}
    anything: Any = {"a": {"b": [1, {"c": 2}]}}
    bare: dict = {"a": 1}  # type: ignore
    required: dict[str, int]


CHANGED = {
    "names=[c]": ("names", ["c"]),
    "names=[]": ("names", []),
    "names.1=c": ("names", ["a", "c"]),
    "pair.0=2": ("pair", (2.0, "x")),
    "pair.1=2": ("pair", (0.5, "2")),
    "opts={c:3}": ("opts", {"a": 1, "b": 2, "c": 3}),
    "opts={a:3}": ("opts", {"a": 3, "b": 2}),
    "opts={}": ("opts", {"a": 1, "b": 2}),
    "++opts={c:3}": ("opts", {"c": 3}),
    "++opts={}": ("opts", {}),
    "opts.a=5": ("opts", {"a": 5, "b": 2}),
    "+opts.c=5": ("opts", {"a": 1, "b": 2, "c": 5}),
    "++opts.c=5": ("opts", {"a": 1, "b": 2, "c": 5}),
    "++opts.a=5": ("opts", {"a": 5, "b": 2}),
    "~opts.a": ("opts", {"b": 2}),
    "~opts.a=1": ("opts", {"b": 2}),
    "deep.x.y=[3]": ("deep", {"x": {"y": [3]}}),
    "deep.x.y.0=3": ("deep", {"x": {"y": [3, 2]}}),
    "+deep.x.z=[3]": ("deep", {"x": {"y": [1, 2], "z": [3]}}),
    "+deep.w={z:[3]}": ("deep", {"x": {"y": [1, 2]}, "w": {"z": [3]}}),
    "deep={x:{z:[3]}}": ("deep", {"x": {"y": [1, 2], "z": [3]}}),
    "deep={w:{z:[3]}}": ("deep", {"x": {"y": [1, 2]}, "w": {"z": [3]}}),
    "++deep={x:{z:[3]}}": ("deep", {"x": {"z": [3]}}),
    "anything={a:{d:{e:1}},f:2}": ("anything", {"a": {"b": [1, {"c": 2}], "d": {"e": 1}}, "f": 2}),
    "pairs={b:[2,03]}": ("pairs", {"a": (1, "x"), "b": (2, "03")}),
    "deep.x={z:[3]}": ("deep", {"x": {"y": [1, 2], "z": [3]}}),
    "~deep.x.y": ("deep", {"x": {}}),
    "numbers.1=uno": ("numbers", {1: "uno"}),
    "+numbers.2=two": ("numbers", {1: "one", 2: "two"}),
    "numbers={1:uno,2:3}": ("numbers", {1: "uno", 2: "3"}),
    "~numbers.1": ("numbers", {}),
    "colors.red=3": ("colors", {Color.red: 3.0}),
    "+colors.blue=3": ("colors", {Color.red: 1.0, Color.blue: 3.0}),
    "either.a=2": ("either", {"a": 2}),
    "either={b:2}": ("either", {"a": 1, "b": 2}),
    "either=3": ("either", 3),
    "either=[1]": ("either", [1]),
    "anything.a.b=3": ("anything", {"a": {"b": 3}}),
    "anything.a.b.1.c=3": ("anything", {"a": {"b": [1, {"c": 3}]}}),
    "+anything.d=[x]": ("anything", {"a": {"b": [1, {"c": 2}]}, "d": ["x"]}),
    "+anything.d.e.f=3": ("anything", {"a": {"b": [1, {"c": 2}]}, "d": {"e": {"f": 3}}}),
    "++anything.d.e=3": ("anything", {"a": {"b": [1, {"c": 2}]}, "d": {"e": 3}}),
    "anything=x": ("anything", "x"),
    "bare={b:[1]}": ("bare", {"a": 1, "b": [1]}),
    "bare.a=x": ("bare", {"a": "x"}),
    "+required.a=1": ("required", {"a": 1}),
}


@pytest.mark.parametrize("word", CHANGED)
def test_an_override_changes_a_container_or_an_element_of_it(word: str) -> None:
    field, value = CHANGED[word]
    node = compose(Node, [word, *([] if field == "required" else ["required={}"])])
    assert getattr(node, field) == value
    assert [name for name in Node._fields if name != "required" and getattr(node, name) != getattr(Node(), name)] == (  # type: ignore
        [field] if field != "required" and value != getattr(Node(), field) else []  # type: ignore
    )


REFUSED = {
    "size=x": "size is int, not 'x'",
    "size=null": "size is int, not null",
    "size=1.5": "size is int, not 1.5",
    "size=": "size is int, not ''",
    "size=[1]": "size is int, not [1]",
    "~size": "size is a field of its class and cannot be deleted; set it instead",
    "+size=3": "size is there already; write size=3",
    "names=a": "names is list[str], not 'a'",
    "names=[a,null]": "names is list[str], not [a,null]",
    "names.2=c": "names has the places 0 to 1, so there is no '2'",
    "names.x=c": "names has the places 0 to 1, so there is no 'x'",
    "names.99999999999999999999=c": "names has the places 0 to 1, so there is no '99999999999999999999'",
    "+names.2=c": "names has the places 0 to 1, so there is no '2'",
    "empty.0=1": "empty is empty, so there is no '0'",
    "~names.0": "a list element cannot be deleted; write the whole: 'names=[...]'",
    "names.0.x=1": "names.0 is str, which has nothing inside it",
    "pair=[1]": "pair is tuple[float, str], not [1]",
    "pair.0=x": "pair.0 is float, not 'x'",
    "pair.2=x": "pair has the places 0 to 1, so there is no '2'",
    "opts=null": "opts is dict[str, int], not null",
    "opts={a:x}": "opts is dict[str, int], not {a:x}",
    "opts.a=x": "opts.a is int, not 'x'",
    "opts.c=3": "there is no 'c'; choose from: a, b; to add it: +opts.c=3",
    "opts.aa='3 4'": "there is no 'aa'; nearest: a; to add it: \"+opts.aa='3 4'\"",
    "~opts.c": "there is no 'c'; choose from: a, b; to add it: +opts.c=...",
    "~opts.a=2": "opts.a is 1, so it is not deleted",
    "+opts.a=3": "opts.a is there already; write opts.a=3",
    "opts.a.b=3": "opts.a is int, which has nothing inside it",
    "deep.x.z.0=3": "there is no 'z'; choose from: y; to add it: +deep.x.z=...",
    "+deep.w.z=[3]": "there is no 'w'; choose from: x; to add it: +deep.w=...",
    "deep.x={y:[a]}": "deep.x is dict[str, list[int]], not {y:[a]}",
    "numbers.x=3": "numbers is dict[int, str], so 'x' cannot be a key of it",
    "+colors.green=3": "colors is dict[one of red, blue, float], so 'green' cannot be a key of it",
    "either.a=x": "either.a is int, not 'x'",
    "either=x": "either is int | dict[str, int] | list[int], not 'x'",
    "anything.x=3": "there is no 'x'; choose from: a; to add it: +anything.x=3",
    "anything.x.y=3": "there is no 'x'; choose from: a; to add it: +anything.x=...",
    "required=3": "required is dict[str, int], not 3",
    "required.a=3": "there is no 'a'; there is nothing to choose from; to add it: +required.a=3",
}


@pytest.mark.parametrize("word", REFUSED)
def test_what_does_not_fit_is_refused_where_it_is_defined(word: str) -> None:
    with pytest.raises(UserError) as caught:
        compose(Node, [word])
    what, where = str(caught.value).split("\n")
    assert what == f"{word}: {REFUSED[word]}"
    assert where.startswith("  defined in tests/cn/composing/test_edit.py:")
