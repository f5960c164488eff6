"""Kinds on their own: what is the same, which member of a union a value is of, and JSON that gives the value back."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import Any

import pytest

from cn.nodes.annotations import kind_of
from cn.nodes.field_types import Mismatch, same


class Color(enum.Enum):
    red = 1


class Shade(enum.Enum):
    red = 1


def kind(annotation: Any) -> Any:
    return kind_of(annotation, eval)


SAME = [(1, 1), (float("nan"), float("nan")), ([1, (float("nan"),)], [1, (float("nan"),)]), (Color.red, Color.red)]
OTHER = [
    (1, 1.0),
    (1, True),
    ([1], (1,)),
    ([1], [1.0]),
    ({"a": 1}, {"a": True}),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    (Color.red, Shade.red),
    ("a", Path("a")),
    ([1], [1, 2]),
    (None, False),
]


@pytest.mark.parametrize(("one", "two"), SAME)
def test_what_is_equal_in_value_and_type_is_the_same(one: Any, two: Any) -> None:
    assert same(one, two)


@pytest.mark.parametrize(("one", "two"), OTHER)
def test_what_differs_in_type_or_order_is_not_the_same(one: Any, two: Any) -> None:
    assert not same(one, two)
    assert not same(two, one)


UNIONS = [
    (str | Path, [Path("a"), "a"]),
    (Path | str, [Path("a"), "a"]),
    (Color | str, [Color.red, "red"]),
    (Color | Shade | str, [Color.red, Shade.red, "red"]),
    (list[str] | list[Path], [["a"], [Path("a")], []]),
    (tuple[int, ...] | list[int] | tuple[str, ...], [(1,), [1], ("1",), (), []]),
    (dict[str, int] | dict[int, int], [{"1": 1}, {1: 1}]),
    (int | dict[str, int], [3, {"_member_": 7, "_value_": 3}, {"_member_": 0}]),
    (float | int | bool | None, [1.0, 1, True, None]),
    (list[int | float | str], [[1, 1.0, "1"]]),
]


@pytest.mark.parametrize(("annotation", "values"), UNIONS)
def test_a_value_of_a_union_survives_json_with_its_type(annotation: Any, values: list[Any]) -> None:
    union = kind(annotation)
    for value in values:
        assert same(union.accept(value), value)
        assert same(union.accept(json.loads(json.dumps(union.plain(value)))), value), union.plain(value)


@pytest.mark.parametrize("value", [{"_member_": "x", "_value_": 1}, {"_member_": 9, "_value_": 1}])
def test_a_mark_of_a_union_that_makes_no_sense_is_a_value_like_others(value: Any) -> None:
    assert kind(int | dict[str, int | str]).accept(value) == value
    with pytest.raises(Mismatch):
        kind(int | str).accept(value)
