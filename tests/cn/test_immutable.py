"""`Immutable`: values by name and by place, defaults, equality, and no change."""

from __future__ import annotations

from typing import Any

import pytest

from cn.immutable import Immutable


class Pair(Immutable):
    first: int
    second: str = "b"


class Triple(Pair):
    third: float = 0.5


@pytest.mark.parametrize("made", [Triple(1, "b", 0.5), Triple(first=1), Triple(1, third=0.5), Triple(1, second="b")])
def test_values_are_given_by_place_or_by_name_and_the_rest_are_defaults(made: Triple) -> None:
    assert (made.first, made.second, made.third) == (1, "b", 0.5)
    assert (made, hash(made)) == (Triple(1), hash(Triple(1)))
    assert repr(made) == "Triple(first=1, second='b', third=0.5)"


@pytest.mark.parametrize("given", [{}, {"second": "b"}, {"first": 1, "fourth": 2}])
def test_a_value_that_lacks_or_is_unknown_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"^Triple takes first, second, third$"):
        Triple(**given)
    with pytest.raises(TypeError, match=r"^Pair takes first, second$"):
        Pair(1, "b", 3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def test_a_class_is_part_of_what_is_equal() -> None:
    assert Pair(1) != Triple(1)
    assert Pair(1) != Pair(2)
    assert Pair(1) != (1, "b")


def test_no_value_changes_and_a_copy_has_others() -> None:
    pair = Pair(1)
    with pytest.raises(AttributeError, match=r"^Pair\.first cannot be set$"):
        pair.first = 2  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    assert (pair.replace(first=2), pair) == (Pair(2), Pair(1))
