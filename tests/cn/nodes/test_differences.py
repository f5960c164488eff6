"""`differences` and `alike`: what one node has that another of its class has not, at any depth."""

from __future__ import annotations

from typing import Any

import pytest

import cn
from cn import CN, derive
from cn.nodes.traversal import alike, differences


class Part(CN):
    size: int = 1


class Other(Part):
    more: float = 0.5


class Whole(CN):
    width: int = 2
    twice: int = derive(lambda run: run.width * 2)
    part: Part = Part()
    parts: dict[str, Part] = {"a": Part()}


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        ([], []),
        (["width=2"], []),
        (["width=3"], ["width"]),
        (["part.size=2"], ["part"]),
        (["parts.a.size=2"], ["parts"]),
        (["part.size=2", "width=4"], ["width", "part"]),
    ],
)
def test_each_field_with_another_value_is_yielded_in_order(words: list[str], fields: list[str]) -> None:
    found = list(differences(cn.compose(Whole, words), cn.compose(Whole)))
    assert [name for name, *_ in found] == fields
    for name, mine, theirs in found:
        assert mine == getattr(cn.compose(Whole, words), name)
        assert theirs == getattr(cn.compose(Whole), name)


def test_a_given_value_differs_from_a_derived_one_and_a_derived_one_from_a_given_one_alone() -> None:
    derived, given = cn.compose(Whole), cn.compose(Whole, ["twice=9"])
    assert list(differences(given, derived)) == [("twice", 9, ...)]
    assert list(differences(derived, given)) == [("twice", 4, 9)]
    assert list(differences(derived, cn.compose(Whole, ["width=3"]))) == [("width", 2, 3)]


def test_a_field_that_the_other_has_not_is_yielded_without_its_value() -> None:
    class Required(CN):
        size: int

    assert list(differences(Required(size=3), Required())) == [("size", 3, ...)]  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize(
    ("one", "other", "same", "by_class"),
    [
        (Part(), Part(), True, True),
        (Part(), Part(size=2), False, True),
        (Part(), Other(), False, False),
        ({"a": Part()}, {"a": Part(size=2)}, False, True),
        ({"a": Part()}, {"b": Part()}, False, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False, False),
        (1, 1.0, False, False),
        (True, 1, False, False),
        (float("nan"), float("nan"), True, True),
        ([1, [2]], [1, [2]], True, True),
    ],
)
def test_values_are_alike_by_value_and_type_and_nodes_by_class_alone_where_asked(
    one: Any, other: Any, same: bool, by_class: bool
) -> None:
    assert (alike(one, other), alike(one, other, nested=False)) == (same, by_class)
