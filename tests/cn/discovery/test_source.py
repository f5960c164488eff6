"""The source tells where a class and a field are written, and the comment beside a field is its help."""

from __future__ import annotations

from typing import Any

import pytest

from cn import CN
from cn.discovery.source import comment, file, place, where

SOURCE = '''\
from cn import CN
from typing import Literal

class Base(CN):
    """A base."""
    size: int = 1  # metres
    plain: int = 1
    text: str = "a # b"  # after a text
    accents: str = "é ü"  # accents before
    listed: tuple[int, int] = (  # at the opening
        1,
        2,
    )
    closed: list[int] = [
        1,  # of an element
    ]  # at the closing
    wide: Literal[
        "a",
        "b",
    ] = "a"
    required: int  # no default
    both: int = 1; other: int = 2  # of the last
    hashes: int = 1  # first # second

    def build(self) -> int:
        x: int = 3  # not a field
        return x

    class Plain:
        size: int = 1  # of another class

if True:
    class Inside(Base):
        size: int = 2
        plain: int = 2  # new

def make():
    class Local(Base):
        size: int = 3  # local
    return Local

Made = make()

if not True:
    pass
elif not True:
    pass
else:
    class Other(Base):
        size: int = 5  # of the other case

try:
    import absent
except ImportError:
    class Without(Base):
        size: int = 6  # without it
'''
COMMENTS = {
    "size": "metres",
    "plain": "",
    "text": "after a text",
    "accents": "accents before",
    "listed": "at the opening",
    "closed": "at the closing",
    "wide": "",
    "required": "no default",
    "other": "of the last",
    "hashes": "first # second",
    "nothing": "",
}


@pytest.fixture
def module(node_tree: Any) -> Any:
    node_tree({"parts/__init__.py": "", "parts/base.py": SOURCE})
    import parts.base  # type: ignore

    return parts.base


@pytest.mark.parametrize("field", COMMENTS)
def test_the_comment_beside_a_field_is_found(module: Any, field: str) -> None:
    assert comment(module.Base, field) == COMMENTS[field]


def test_a_comment_is_inherited_until_there_is_another(module: Any) -> None:
    assert [comment(module.Inside, name) for name in ("size", "plain", "required")] == ["metres", "new", "no default"]
    assert comment(module.Made, "size") == "local"
    assert comment(module.Base.Plain, "size") == "of another class"
    assert comment(module.Other, "size") == "of the other case"
    assert comment(module.Without, "size") == "without it"


def test_a_place_is_a_file_and_a_line(module: Any) -> None:
    assert place(module.Base) == "parts/base.py:4"
    assert place(module.Base, "size") == "parts/base.py:6"
    assert place(module.Base, "build") == "parts/base.py:25"
    assert place(module.Base, "nothing") == "parts/base.py:4"
    assert place(module.Inside) == "parts/base.py:33"
    assert place(module.Made, "size") == "parts/base.py:39"


def test_where_names_the_class_that_gave_the_field(module: Any) -> None:
    assert where(module.Inside, "size") == "defined in parts/base.py:34"
    assert where(module.Inside, "required") == "defined in parts/base.py:21"
    assert where(module.Inside) == "defined in parts/base.py:33"


def test_a_file_is_named_from_the_root(module: Any) -> None:
    assert [file(name) for name in ("parts.base", "parts", "nowhere.at.all", "sys")] == [
        "parts/base.py",
        "parts/__init__.py",
        "nowhere.at.all",
        "sys",
    ]


def test_a_class_without_source_has_only_its_module() -> None:
    scope: dict[str, Any] = {"CN": CN, "__name__": "nowhere"}
    exec(compile("class Node(CN):\n    size: int = 1  # metres\n", "<typed>", "exec", dont_inherit=True), scope)
    assert place(scope["Node"], "size") == "nowhere"
    assert comment(scope["Node"], "size") == ""
    assert scope["Node"](size=3).size == 3
