"""Kinds of several values: each is copied on the way in, and what does not fit is refused by the whole's name."""

from __future__ import annotations

from typing import Any

import pytest

from cn.nodes.annotations import kind_of
from cn.nodes.field_types import Mismatch


def kind(annotation: Any) -> Any:
    return kind_of(annotation, eval)


def test_a_container_is_never_shared_with_the_one_that_gave_it() -> None:
    for annotation, value in ((list[list[int]], [[1]]), (dict[str, list[int]], {"a": [1]}), (Any, [{"a": [1]}])):
        taken = kind(annotation).accept(value)
        assert taken == value
        assert taken is not value
        inner, given = (taken["a"], value["a"]) if isinstance(value, dict) else (taken[0], value[0])
        assert inner is not given


def test_a_mismatch_names_the_whole_container() -> None:
    for annotation, value in ((list[list[int]], [[1], ["a"]]), (dict[int, int], {"a": 1}), (tuple[int, int], (1, "a"))):
        with pytest.raises(Mismatch) as caught:
            kind(annotation).accept(value)
        assert str(caught.value) == kind(annotation).name


@pytest.mark.parametrize("key", ["01", "\uff11", " 1", "1.0", "x", ""])
def test_a_key_of_ints_is_written_as_an_int_is(key: str) -> None:
    assert kind(dict[int, int]).accept({"-1": 1, "20": 2, "+3": 3}) == {-1: 1, 20: 2, 3: 3}
    with pytest.raises(Mismatch) as caught:
        kind(dict[int, int]).accept({key: 1})
    assert str(caught.value) == "dict[int, int]"


def test_no_value_is_lost_under_a_key_that_another_is() -> None:
    for table in ({1: "a", "1": "b"}, {"1": "a", "+1": "b"}):
        with pytest.raises(Mismatch) as caught:
            kind(dict[int, str]).accept(table)
        assert str(caught.value) == "dict[int, str], with each key once"


def test_a_number_of_5000_digits_is_no_key_of_ints() -> None:
    with pytest.raises(Mismatch):
        kind(dict[int, int]).accept({"9" * 5000: 1})
