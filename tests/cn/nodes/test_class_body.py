"""What a class body may not hold is refused when the class is made, with the line that should stand there."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

import pytest

from cn import CN, DefinitionError, compose
from cn import derive as derive
from cn.discovery import discover
from tests.cn.conftest import python


class Head(CN):
    dim: int = 8


class Part(CN):
    size: int = 1
    other: Head | None = None


BODIES = {
    "size = 3": "size has no annotation, so it would not be a field\n  write: size: int = 3",
    "sizes = [1, 2]": "sizes has no annotation, so it would not be a field\n  write: sizes: list = [1, 2]",
    "head = Head()": "head has no annotation, so it would not be a field\n  write: head: Head = Head(dim=8)",
    "it = None": "it has no annotation, so it would not be a field\n  write: it: T | None = None",
    "it = derive(len)": "it has no annotation, so it would not be a field\n  write: it: T = derive(...)",
    "it = partial(len)": "it has no annotation, so it would not be a field\n  write: it: T = ...",
    "it = len": "it has no annotation, so it would not be a field\n  write: it: T = ...",
    "It = Head": "It is a node inside a node: a path could not name it\n  write: class It at the top of the file",
    "_it: int = 3": "_it cannot be a field: it begins with an underscore\n"
    "  write: _it: ClassVar[...] for a constant, it: ... for a field",
    "hydra: int = 3": "hydra cannot be a field: the name belongs to Hydra's own configuration\n"
    "  write: another name, such as hydra_: ...",
    "defaults: list[int] = []": "defaults cannot be a field: the name belongs to the defaults list\n"
    "  write: another name, such as defaults_: ...",
    "check: bool = True": "check cannot be a field: the name belongs to the method by which a node checks itself\n"
    "  write: another name, such as check_: ...",
    "it: dataclasses.InitVar[int] = 3": "it cannot be an InitVar: a node is its values\n  write: it: the type itself",
    "def __init__(self): ...": "__init__ cannot be defined: fields are all there is\n"
    "  write: def check(self) to check values, derive(...) to work them out",
    "def __post_init__(self): ...": "__post_init__ cannot be defined: fields are all there is\n"
    "  write: def check(self) to check values, derive(...) to work them out",
    "__slots__ = ('it',)": "__slots__ cannot be defined: fields are all there is\n"
    "  write: def check(self) to check values, derive(...) to work them out",
}


@pytest.mark.parametrize("line", BODIES)
@pytest.mark.parametrize("future", ["", "from __future__ import annotations"])
def test_a_class_body_that_would_not_do_what_it_says_is_refused(node_tree: Any, line: str, future: str) -> None:
    names = (
        "import dataclasses; from functools import partial; from tests.cn.nodes.test_class_body import CN, Head, derive"
    )
    node_tree({"wrong.py": python(future, names, "class Wrong(CN):", "    fine: int = 1", f"    {line}")})
    with pytest.raises(DefinitionError) as caught:
        __import__("wrong")
    assert str(caught.value) == f"Wrong.{BODIES[line]}\n  defined in wrong.py:5"


def test_an_inherited_field_set_without_annotation_is_told_with_that_of_its_base() -> None:
    with pytest.raises(DefinitionError) as caught:

        class Big(Part):
            size = 3  # type: ignore

    assert str(caught.value).split("\n")[:2] == [
        "Big.size has no annotation, so it would not be a field",
        "  write: size: int = 3",
    ]
    with pytest.raises(DefinitionError, match=r"write: other: Head \| None = None"):

        class Other(Part):
            other = None  # type: ignore


def test_a_field_and_a_method_cannot_have_one_name() -> None:
    class Base(CN):
        size: int = 1

        def build(self) -> int:
            return self.size

    with pytest.raises(DefinitionError) as caught:

        class Method(Base):
            def size(self) -> int:  # type: ignore
                return 3

    assert str(caught.value).split("\n")[:2] == [
        "Method.size cannot be a method: it is a field of a base class",
        "  write: another name for the method",
    ]
    with pytest.raises(DefinitionError) as caught:

        class Field(Base):
            build: int = 3  # type: ignore

    assert str(caught.value).split("\n")[:2] == [
        "Field.build cannot be a field: it is a method of Base",
        "  write: another name, such as build_",
    ]


@pytest.mark.parametrize("options", [{}, {"frozen": True}, {"slots": True}, {"kw_only": True}])
def test_a_second_dataclass_decorator_is_refused(options: dict[str, bool]) -> None:
    with pytest.raises(DefinitionError) as caught:

        @dataclasses.dataclass(**options)  # type: ignore
        class Twice(CN):
            size: int = 1

    assert str(caught.value).split("\n")[:2] == [
        "Twice is a node, which is a dataclass already",
        "  write: no @dataclass above it",
    ]


METHODS = """
from abc import ABC, abstractmethod
from collections.abc import Sized
from contextlib import ContextDecorator
from functools import cached_property
from typing import ClassVar, Generic, TypeVar

from parts import Part

T = TypeVar("T")


class Methods:
    LIMIT: ClassVar[int] = 3
    _hidden = 4

    def doubled(self): return 2 * self.size

    @property
    def halved(self): return self.size // 2

    @cached_property
    def kept(self): return self.size

    @staticmethod
    def one(): return 1

    class Inner: ...


class More(Methods, ABC):
    @abstractmethod
    def more(self): ...


class Boxed(Generic[T]): ...


class Fine(More, Boxed[int], Sized, ContextDecorator, Part):
    def more(self): return self.doubled() + self.halved + self.kept + self.one() + self.LIMIT + self._hidden

    def __len__(self): return 5
"""
BASES = {
    "a dataclass": (
        "from dataclasses import dataclass\n@dataclass\nclass D:\n    z: int = 7\n",
        "X.z would be no field: D, where it comes from, is no node\n"
        "  write: class D(CN), without @dataclass; for a constant: z: ClassVar[...]\n"
        "  defined in parts/x.py:5",
    ),
    "annotations": (
        "class D:\n    z: int = 7\n",
        "X.z would be no field: D, where it comes from, is no node\n"
        "  write: class D(CN); for a constant: z: ClassVar[...]\n"
        "  defined in parts/x.py:3",
    ),
    "an annotation without a value, above": (
        "class Above:\n    z: 'int'\nclass D(Above): ...\n",
        "X.z would be no field: Above, where it comes from, is no node\n"
        "  write: class Above(CN); for a constant: z: ClassVar[...]\n"
        "  defined in parts/x.py:3",
    ),
    "a value without an annotation": (
        "class D:\n    z = 7\n",
        "X.z would be no field: D, where it comes from, is no node\n"
        "  write: class D(CN); for a constant: z: ClassVar[...]\n"
        "  defined in parts/x.py:3",
    ),
    "a dataclass of nothing": (
        "from dataclasses import dataclass\n@dataclass\nclass D: ...\n",
        "X cannot have D as a base, which defines __init__\n"
        "  write: a base of methods alone; what it holds goes into fields\n"
        "  defined in parts/x.py:5",
    ),
    "slots": (
        "class D:\n    __slots__ = ('z',)\n",
        "X cannot have D as a base, which defines __slots__\n"
        "  write: a base of methods alone; what it holds goes into fields\n"
        "  defined in parts/x.py:4",
    ),
    "a class of Python's own": (
        "D = dict\n",
        "X cannot have dict as a base, which defines __init__\n"
        "  write: a base of methods alone; what it holds goes into fields\n"
        "  defined in parts/x.py:3",
    ),
    "a tuple with names": (
        "from typing import NamedTuple\nclass D(NamedTuple):\n    z: int = 7\n",
        "X cannot have D as a base, which defines __new__\n"
        "  write: a base of methods alone; what it holds goes into fields\n"
        "  defined in parts/x.py:5",
    ),
}
PART = "from cn import CN\nclass Part(CN):\n    size: int = 4\n"


@pytest.mark.parametrize("bases", ["D, Part", "Part, D", "D, CN"])
@pytest.mark.parametrize("case", BASES)
def test_a_base_that_is_no_node_has_methods_alone(node_tree: Any, case: str, bases: str) -> None:
    source, message = BASES[case]
    node_tree({"parts/__init__.py": PART, "parts/x.py": f"from parts import CN, Part\n{source}class X({bases}): ...\n"})
    with pytest.raises(DefinitionError) as caught:
        importlib.import_module("parts.x")
    assert str(caught.value) == message


def test_a_base_of_methods_alone_is_as_good_as_ever(node_tree: Any, keys: Any) -> None:
    node_tree({"parts/__init__.py": PART, "parts/fine.py": METHODS})
    fine = importlib.import_module("parts.fine").Fine
    assert fine(size=6).more() == 12 + 3 + 6 + 1 + 3 + 4
    assert keys(importlib.import_module("parts").Part) == ["fine"]


def test_the_fix_that_is_told_makes_the_fields_of_the_base_those_of_the_node(node_tree: Any) -> None:
    source = "from parts import CN, Part\nclass D(CN):\n    z: int = 7\nclass X(D, Part): ...\n"
    node_tree({"parts/__init__.py": PART, "parts/x.py": source})
    part = importlib.import_module("parts").Part
    assert vars(compose(part, ["part=x", "z=3"])) == {"size": 4, "z": 3}
    assert list(discover.options((part,))[0]) == ["x"]
