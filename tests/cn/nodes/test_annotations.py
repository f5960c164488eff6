"""Any annotation that a Python programmer would write works, in Python and on the command line, or is refused."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest

from cn import DefinitionError, UserError
from cn.nodes.field_types import same
from tests.cn.conftest import python

NAMES = """
import collections
import collections.abc
import dataclasses
import datetime
import enum
import os
import pathlib
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, NewType, Optional, Union

import typing_extensions

from cn import CN


class Color(Enum):
    red = 1
    dark_blue = 2
    crimson = 1


class Level(enum.IntEnum):
    low = 0
    high = 1


class Access(enum.Flag):
    read = 1
    write = 2


class Node(CN):
    value: int = 1


class Sub(Node): ...


class Other(CN): ...


@dataclasses.dataclass
class Plain:
    value: int = 1


Name = NewType("Name", str)
Names = typing_extensions.TypeAliasType("Names", "list[Name]")
Sizes = list[int]
T = typing.TypeVar("T")
""".lstrip("\n")
HEADERS = {"evaluated": "import sys", "strings": "from __future__ import annotations"}


@pytest.fixture(params=HEADERS)
def define(node_tree: Any, request: pytest.FixtureRequest) -> Any:
    """`define("int = 3")`: a class with one field `x` of this annotation, with and without `annotations` strings."""

    def define(annotation: str) -> Any:
        source = f"{HEADERS[request.param]}\n{NAMES}\n\nclass It(CN):\n    x: {annotation}\n"
        node_tree({"it.py": source})
        return __import__("it")

    return define


# annotation: what Python gives and what is kept; what the command line gives and what is kept; what is refused by both
ACCEPTED: dict[str, tuple[dict[str, Any], dict[str, Any], list[str], list[str]]] = {
    "int": (
        {"3": 3, "-0": 0, "10**30": 10**30},
        {"3": 3, "1e5": 100_000, "0": 0},
        ["'3'", "3.0", "True", "None", "Level.low"],
        ["x", "3.5", "true", "null", "[3]", "'3'", "", "nan", "1e400"],
    ),
    "float": (
        {"3": 3.0, "0.5": 0.5, "float('inf')": math.inf, "float('nan')": math.nan},
        {"3": 3.0, "1e-3": 1e-3, "nan": math.nan, "-inf": -math.inf},
        ["'3'", "True", "None", "3j"],
        ["x", "true", "null", "[3]", "'3'", ""],
    ),
    "str": (
        {"''": "", "'a'": "a", "'ü\\n\"'": 'ü\n"'},
        {"a": "a", "3": "3", "1e5": "1e5", "true": "true", "": "", "'a, b'": "a, b", '"ü"': "ü", "0x1": "0x1"},
        ["3", "None", "b'a'", "Path('a')", "True"],
        ["null", "[a]", "{a:b}"],
    ),
    "bool": (
        {"True": True, "False": False},
        {"true": True, "False": False, "TRUE": True},
        ["1", "0", "'true'", "None"],
        ["1", "yes", "null", "'true'", "[true]"],
    ),
    "None": ({"None": None}, {"null": None}, ["0", "''"], ["0", "none", ""]),
    "Path": (
        {"Path('a/b')": Path("a/b"), "'a/b'": Path("a/b")},
        {"a/b": Path("a/b"), "/a b": Path("/a b"), "3": Path("3"), "0.1": Path("0.1")},
        ["''", "3", "None", "['a']"],
        ["", "null", "[a]", "true"],
    ),
    "Color": (
        {"Color.red": "Color.red", "'dark_blue'": "Color.dark_blue", "Color.crimson": "Color.red"},
        {"red": "Color.red", "Color.dark_blue": "Color.dark_blue"},
        ["1", "'RED'", "None", "Level.low"],
        ["1", "Red", "null", "blue", "[red]", "color.red", ""],
    ),
    "Level": ({"Level.high": "Level.high"}, {"low": "Level.low"}, ["1", "'1'"], ["1", "LOW"]),
    "Access": ({"Access.read": "Access.read"}, {"write": "Access.write"}, ["Access.read | Access.write"], ["3"]),
    "Literal['a', 'b']": ({"'a'": "a"}, {"b": "b", "'a'": "a"}, ["'c'", "None", "1"], ["c", "null", "A", ""]),
    "Literal[1, 2]": ({"1": 1}, {"2": 2}, ["'1'", "True", "1.0", "3"], ["3", "true", "1.0", "'1'"]),
    "Literal['1', 1]": ({"1": 1, "'1'": "1"}, {"1": 1, "'1'": "1"}, ["True", "1.0"], ["01x"]),
    "Literal['a', None, True]": (
        {"None": None, "True": True},
        {"null": None, "true": True, "a": "a"},
        ["False", "1"],
        ["false", "b"],
    ),
    "Literal[Color.red, 'blue']": (
        {"Color.red": "Color.red", "'blue'": "blue"},
        {"red": "Color.red", "blue": "blue"},
        ["Color.dark_blue", "1"],
        ["dark_blue", "1"],
    ),
    "int | None": ({"3": 3, "None": None}, {"3": 3, "null": None}, ["'3'", "True"], ["none", "x", "true"]),
    "Optional[int]": ({"3": 3, "None": None}, {"3": 3, "null": None}, ["'3'"], ["x"]),
    "Union[int, Union[str, None]]": (
        {"3": 3, "'3'": "3", "None": None},
        {"3": 3, "x": "x", "'3'": "3", "null": None},
        ["3.5", "True"],
        ["[3]"],
    ),
    "int | float": ({"3": 3, "3.5": 3.5}, {"3": 3, "3.5": 3.5}, ["'3'", "True"], ["x", "true"]),
    "float | int": ({"3": 3, "3.5": 3.5}, {"3": 3, "3.0": 3.0}, ["'3'"], ["x"]),
    "bool | str": ({"True": True, "'a'": "a"}, {"true": True, "a": "a", "1": "1"}, ["1"], ["null"]),
    "Path | str": ({"'a'": "a", "Path('a')": Path("a")}, {"a": "a"}, ["1"], ["null"]),
    "int | list[int] | dict[str, int | None]": (
        {"3": 3, "[3]": [3], "{'a': None}": {"a": None}},
        {"3": 3, "[3]": [3], "{a:null}": {"a": None}},
        ["'3'", "['a']", "{'a': 'b'}"],
        ["x", "[a]", "{a:b}", "null"],
    ),
    "list[int]": ({"[]": [], "[1, 2]": [1, 2]}, {"[]": [], "[1,2]": [1, 2]}, ["(1,)", "['a']", "None"], ["1", "[a]"]),
    "list[str]": (
        {"['a']": ["a"]},
        {"[a,1,true]": ["a", "1", "true"], "['a, b']": ["a, b"]},
        ["[1]", "'a'"],
        ["a", "[null]", "[[a]]"],
    ),
    "list[list[float]]": ({"[[1], []]": [[1.0], []]}, {"[[1],[]]": [[1.0], []]}, ["[1]"], ["[1]", "[[a]]"]),
    "list[Color]": (
        {"[Color.red]": ["Color.red"]},
        {"[red,dark_blue]": ["Color.red", "Color.dark_blue"]},
        ["[1]"],
        ["[1]"],
    ),
    "list[Literal['a', 'b'] | int]": ({"['a', 3]": ["a", 3]}, {"[b,3]": ["b", 3]}, ["['c']"], ["[c]"]),
    "list": ({"[1, 'a', [None]]": [1, "a", [None]]}, {"[1,a,[null]]": [1, "a", [None]]}, ["[Path('a')]", "3"], ["3"]),
    "typing.List[int]": ({"[1]": [1]}, {"[1]": [1]}, ["['a']"], ["[a]"]),
    "typing.List": ({"['a']": ["a"]}, {"[a]": ["a"]}, ["3"], ["3"]),
    "tuple[int, str]": (
        {"(1, 'a')": (1, "a"), "[1, 'a']": (1, "a")},
        {"[1,a]": (1, "a"), "[1,2]": (1, "2")},
        ["(1,)", "(1, 'a', 2)", "('a', 1)", "1", "{}"],
        ["1", "[1]", "[a,1]", "[]", "null"],
    ),
    "tuple[float, ...]": ({"()": (), "(1, 2)": (1.0, 2.0)}, {"[]": (), "[1]": (1.0,)}, ["('a',)"], ["1", "[a]"]),
    "tuple[tuple[int, int], ...]": ({"((1, 2),)": ((1, 2),)}, {"[[1,2]]": ((1, 2),)}, ["(1, 2)"], ["[1,2]", "[[1]]"]),
    "tuple[()]": ({"()": ()}, {"[]": ()}, ["(1,)"], ["[1]"]),
    "tuple": ({"(1, 'a')": (1, "a")}, {"[1,a]": (1, "a")}, ["3"], ["3"]),
    "typing.Tuple[int, ...]": ({"(1,)": (1,)}, {"[1]": (1,)}, ["('a',)"], ["[a]"]),
    "dict[str, int]": (
        {"{}": {}, "{'a b': 1}": {"a b": 1}},
        {"{}": {}, "{a:1,2:3}": {"a": 1, "2": 3}},
        ["{1: 1}", "{'a': 'b'}", "[]", "None"],
        ["{a:b}", "[]", "a", "null"],
    ),
    "dict[int, str]": (
        {"{1: 'a', -2: ''}": {1: "a", -2: ""}},
        {"{1:a,-2:3}": {1: "a", -2: "3"}},
        ["{'a': 'a'}", "{1.0: 'a'}", "{True: 'a'}"],
        ["{a:b}", "{1.5:b}"],
    ),
    "dict[Color, float]": (
        {"{Color.red: 1}": {"Color.red": 1.0}},
        {"{red:1,dark_blue:2}": {"Color.red": 1.0, "Color.dark_blue": 2.0}},
        ["{1: 1}"],
        ["{blue:1}", "{1:1}"],
    ),
    "dict[str, list[dict[str, int]]]": (
        {"{'a': [{'b': 1}]}": {"a": [{"b": 1}]}},
        {"{a:[{b:1}]}": {"a": [{"b": 1}]}},
        ["{'a': {'b': 1}}"],
        ["{a:[{b:c}]}"],
    ),
    "dict": ({"{'a': [None]}": {"a": [None]}}, {"{a:[null]}": {"a": [None]}}, ["{1: 1}", "[]"], ["[]"]),
    "typing.Dict[str, int]": ({"{'a': 1}": {"a": 1}}, {"{a:1}": {"a": 1}}, ["{'a': 'b'}"], ["{a:b}"]),
    "Any": (
        {"None": None, "3": 3, "[1, {'a': 'b'}]": [1, {"a": "b"}]},
        {"null": None, "3": 3, "a": "a", "{a:[1]}": {"a": [1]}},
        ["(1,)", "Path('a')", "{1: 2}", "Color.red", "Node()", "len"],
        ["{1:2}"],
    ),
    "Name": ({"'a'": "a"}, {"a": "a"}, ["1"], ["null"]),
    "Names": ({"['a']": ["a"]}, {"[a]": ["a"]}, ["'a'"], ["a"]),
    "Sizes": ({"[1]": [1]}, {"[1]": [1]}, ["1"], ["1"]),
    "Annotated[int, 'pixels']": ({"1": 1}, {"1": 1}, ["'1'"], ["a"]),
    "Annotated[list[int], []]": ({"[1]": [1]}, {"[1]": [1]}, ["1"], ["1"]),
    "Final[int]": ({"1": 1}, {"1": 1}, ["'1'"], ["a"]),
    "'int'": ({"1": 1}, {"1": 1}, ["'1'"], ["a"]),
    "list['Color']": ({"[Color.red]": ["Color.red"]}, {"[red]": ["Color.red"]}, ["[1]"], ["[1]"]),
    "Optional['Path']": ({"None": None, "'a'": Path("a")}, {"null": None, "a": Path("a")}, ["1"], [""]),
}


@pytest.mark.parametrize("annotation", ACCEPTED)
def test_a_field_takes_what_its_annotation_says(define: Any, compose: Any, annotation: str) -> None:
    it = define(annotation)
    given, typed, wrong, mistyped = ACCEPTED[annotation]
    names = {f"{enum.__name__}.{each.name}": each for enum in (it.Color, it.Level, it.Access) for each in enum}

    def known(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)(map(known, value))
        if isinstance(value, dict):
            return {known(key): known(item) for key, item in value.items()}
        return names.get(value, value) if isinstance(value, str) else value

    for text, value in given.items():
        assert same(it.It(x=eval(text, vars(it))).x, known(value)), text
    for text, value in typed.items():
        assert same(compose(it.It, f"x={text}").x, known(value)), text
    for text in wrong:
        with pytest.raises(UserError) as caught:
            it.It(x=eval(text, vars(it)))
        assert str(caught.value).startswith("It.x is "), text
        said = str(caught.value).partition("\n  nearest: ")[0]  # a Literal and an Enum name what is like it
        assert said.endswith(f"not {eval(text, vars(it))!r}\n  defined in it.py:{LINE}"), text
    for text in mistyped:
        with pytest.raises(UserError) as caught:
            compose(it.It, f"x={text}")
        assert str(caught.value).startswith(f"x={text}: x is "), text
        assert str(caught.value).split("\n")[1] == f"  defined in it.py:{LINE}", text


LINE = NAMES.count("\n") + 5

SAID = {
    "int": "int",
    "Path": "Path",
    "Color": "one of red, dark_blue, crimson",
    "Literal['a', 1, Color.red]": "one of 'a', 1, red",
    "int | str | None": "int | str | None",
    "list[int | None]": "list[int | None]",
    "tuple[int, ...]": "tuple[int, ...]",
    "tuple[int, list[str]]": "tuple[int, list[str]]",
    "tuple[()]": "tuple[()]",
    "dict[int, dict[str, bool]]": "dict[int, dict[str, bool]]",
    "dict[Color, Path]": "dict[one of red, dark_blue, crimson, Path]",
    "list": "list[a plain value]",
    "Any": "a plain value",
    "Node": "Node",
    "Node | Other | None": "Node | Other | None",
    "dict[str, Node]": "dict[str, Node]",
    "dict[str, Node | Other]": "dict[str, Node | Other]",
    "Sub | None": "Sub | None",
}


@pytest.mark.parametrize("annotation", SAID)
def test_an_error_says_the_annotation_as_one_would_write_it(define: Any, annotation: str) -> None:
    it = define(annotation)
    with pytest.raises(UserError) as caught:
        it.It(x=len)
    assert str(caught.value) == f"It.x is {SAID[annotation]}, not <built-in function len>\n  defined in it.py:{LINE}"


NEAREST = {
    ("Color", "Red"): "x is one of red, dark_blue, crimson, not 'Red'\n  defined in it.py:{}\n  nearest: red",
    ("Color", "blue"): "x is one of red, dark_blue, crimson, not 'blue'\n  defined in it.py:{}\n  nearest: dark_blue",
    ("Color", "zzz"): "x is one of red, dark_blue, crimson, not 'zzz'\n  defined in it.py:{}",
    ("Literal['fp32', 'bf16']", "fp16"): "x is one of 'fp32', 'bf16', not 'fp16'\n  defined in it.py:{}\n"
    "  nearest: bf16",
    ("Color | None", "rde"): "x is one of red, dark_blue, crimson | None, not 'rde'\n  defined in it.py:{}\n"
    "  nearest: red",
}


@pytest.mark.parametrize(("annotation", "text"), NEAREST)
def test_a_wrong_word_names_the_nearest_that_is_right(define: Any, compose: Any, annotation: str, text: str) -> None:
    it = define(annotation)
    with pytest.raises(UserError) as caught:
        compose(it.It, f"x={text}")
    assert str(caught.value) == f"x={text}: {NEAREST[annotation, text].format(LINE)}"


def test_of_many_words_the_first_are_shown(define: Any, compose: Any) -> None:
    it = define(f"Literal[{', '.join(repr(f'w{i}') for i in range(12))}]")
    with pytest.raises(UserError) as caught:
        compose(it.It, "x=zzz")
    assert str(caught.value) == (
        f"x=zzz: x is one of 12 words, not 'zzz'\n  defined in it.py:{LINE}\n"
        "  choose from: w0, w1, w10, w11, w2, w3, w4, w5, ... (12 in all)"
    )


def test_of_a_list_of_words_the_nearest_to_the_wrong_one_is_shown(define: Any, compose: Any) -> None:
    it = define(f"list[Literal[{', '.join(repr(f'task{i}') for i in range(11))}]]")
    for text, like in (
        ("[task1,tsk10]", "nearest: task10, task1, task0"),
        ("[zz]", "choose from: task0, task1, task10,"),
    ):
        with pytest.raises(UserError) as caught:
            compose(it.It, f"x={text}")
        assert f"x is list[one of 11 words], not {text}\n  defined in it.py:{LINE}\n  {like}" in str(caught.value)


REFUSED = {
    "set[int] = set()": "set[int]: write a list",
    "set": "set: write a list",
    "frozenset[int]": "frozenset[int]: write a tuple",
    "Sequence[int]": "Sequence[int]: write a list, or a tuple with `...`",
    "typing.Sequence[int]": "Sequence[int]: write a list, or a tuple with `...`",
    "Iterable[int]": "Iterable[int]: write a list",
    "Mapping[str, int]": "Mapping[str, int]: write a dict",
    "collections.OrderedDict[str, int]": "OrderedDict[str, int]: write a dict",
    "collections.defaultdict": "defaultdict: write a dict",
    "bytes": "bytes: write a str, or a Path to the bytes",
    "complex": "complex: write two floats",
    "object": "object: write Any, or the types that it may have",
    "type": "type: write a node: its class is the choice",
    "type[Node]": "type[Node]: write a node: its class is the choice",
    "Callable[[int], int]": "Callable[[int], int]: write the dotted name of the function as a str, "
    "or a node that builds it",
    "typing.Callable": "Callable: write the dotted name of the function as a str, or a node that builds it",
    "pathlib.PurePath": "PurePath: write Path",
    "os.PathLike": "PathLike: write Path",
    "Enum": "Enum: write a subclass of Enum that has members",
    "datetime.timedelta": "timedelta: write a node (class timedelta(CN)) that holds its plain values and builds it",
    "Plain = Plain()": "Plain: write a node (class Plain(CN)) that holds its plain values and builds it",
    "list[Plain]": "Plain: write a node (class Plain(CN)) that holds its plain values and builds it",
    "int | Plain": "Plain: write a node (class Plain(CN)) that holds its plain values and builds it",
    "T": "~T: write a type, such as int or list[str]",
    "Final = 3": "Final: write a type, such as int or list[str]",
    "typing.Self": "Self: write a type, such as int or list[str]",
    "3": "3: write a type, such as int or list[str]",
    "Literal[b'a']": "Literal[b'a']: write a Literal of str",
    "list[int, str]": "list[int, str]: write list[T]",
    "dict[str]": "dict[str]: write dict[str, T]",
    "tuple[...]": "tuple[...]: write tuple[T, ...] or tuple[A, B]",
    "tuple[int, ..., str]": "tuple[int, ..., str]: write tuple[T, ...] or tuple[A, B]",
    "dict[float, int]": "dict[float, int]: write str, int or an Enum for the keys of a dict",
    "dict[str | int, int]": "dict[str | int, int]: write str, int or an Enum for the keys of a dict",
    "list[Node] = []": "list[Node]: write dict[str, T] to hold several nodes by name",
    "tuple[Node, ...]": "tuple[Node, ...]: write dict[str, T] to hold several nodes by name",
    "tuple[int, Node]": "tuple[int, Node]: write dict[str, T] to hold several nodes by name",
    "dict[int, Node]": "dict[int, Node]: write dict[str, T] to hold several nodes by name",
    "dict[str, Node | None]": "dict[str, Node | None]: write dict[str, T] to hold several nodes by name",
    "dict[str, list[Node]]": "list[Node]: write dict[str, T] to hold several nodes by name",
    "dict[str, dict[str, Node]]": "dict[str, dict[str, Node]]: write dict[str, T] to hold several nodes by name",
    "dict[str, Node] | Node = {}": "dict[str, Node] | Node: write dict[str, A | B] for nodes of several types",
    "Node | int = 3": "Node | int: write two fields, one for the node and one for the plain value",
    "Node | str | None = None": "Node | str | None: write two fields, one for the node and one for the plain value",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_cannot_work_is_refused_at_class_creation_with_what_to_write(define: Any, line: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        define(line)
    assert str(caught.value) == f"It.x cannot be {REFUSED[line]}\n  defined in it.py:{LINE}"


UNREADABLE = {
    "'list[int'": "SyntaxError: '[' was never closed (<string>, line 1)",
    "'int | 3'": "TypeError: unsupported operand type(s) for |: 'type' and 'int'",
    "'1 / 0'": "ZeroDivisionError: division by zero",
}


@pytest.mark.parametrize("annotation", UNREADABLE)
def test_an_annotation_that_cannot_be_read_is_refused(define: Any, annotation: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        define(annotation)
    why = f"It.x has an annotation that cannot be read: {UNREADABLE[annotation]}"
    assert str(caught.value) == f"{why}\n  defined in it.py:{LINE}"


def test_a_field_of_nodes_takes_their_subclasses(define: Any) -> None:
    it = define("Node | None = None")
    assert it.It(x=it.Sub()).x == it.Sub()
    assert it.It().x is None
    for wrong in (it.Other(), 3, "node", {}):
        with pytest.raises(UserError, match=r"It\.x is Node \| None, not"):
            it.It(x=wrong)
    it = define("dict[str, Node | Other] = {}")
    assert it.It(x={"a": it.Other(), "b": it.Sub()}).x["b"] == it.Sub()
    for wrong in (None, [it.Node()], {"a": None}, {3: it.Node()}, it.Node()):
        with pytest.raises(UserError, match=r"It\.x is dict\[str, Node \| Other\], not"):
            it.It(x=wrong)


def test_a_class_variable_is_no_field(define: Any) -> None:
    it = define("ClassVar[int] = 3")
    assert (it.It.x, list(it.It._fields)) == (3, [])


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the statement `type X = ...` came with Python 3.12")
def test_a_type_statement_is_an_alias(node_tree: Any) -> None:
    source = ["from cn import CN", "type Pair = tuple[int, Later]", "type Later = str", "class It(CN):", "    x: Pair"]
    node_tree({"it.py": python(*source)})
    assert __import__("it").It(x=(1, "a")).x == (1, "a")
