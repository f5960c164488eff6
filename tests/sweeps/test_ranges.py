"""Ranges have their ends as given, and samplers draw from between theirs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cn import UserError
from sweeps import integers, linear_range, log_range, log_uniform, random, uniform

ABOVE_ZERO = st.floats(1e-12, 1e12)
ANY = st.floats(-1e12, 1e12)


def test_a_log_range_has_equal_ratios() -> None:
    assert log_range(1e-4, 3e-3, 4) == [0.0001, 0.000310723, 0.000965489, 0.003]
    assert log_range(1e-5, 1e-1, 5) == [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
    assert log_range(100, 1, 3) == [100.0, 10.0, 1.0]


def test_a_linear_range_has_equal_distances() -> None:
    assert linear_range(0, 1, 4) == [0.0, 0.333333, 0.666667, 1.0]
    assert linear_range(1, -1, 3) == [1.0, 0.0, -1.0]
    assert all(type(value) is float for value in linear_range(1, 3, 3))


@given(ABOVE_ZERO, ABOVE_ZERO, st.integers(2, 9))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_ends_are_exact_and_nothing_lies_outside(first: float, last: float, count: int) -> None:
    for values in (log_range(first, last, count), linear_range(first, last, count)):
        assert (values[0], values[-1], len(values)) == (first, last, count)
        assert values == sorted(values, reverse=first > last)


@given(ANY, ANY, st.integers())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_uniform_draws_between_its_ends(a: float, b: float, seed: int) -> None:
    low, high = sorted((a, b))
    assert all(low <= point["x"] <= high for point in random(9, {"x": uniform(low, high)}, seed=seed))


@given(ABOVE_ZERO, ABOVE_ZERO, st.integers())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_log_uniform_draws_between_its_ends(a: float, b: float, seed: int) -> None:
    low, high = sorted((a, b))
    assert all(low <= point["x"] <= high for point in random(9, {"x": log_uniform(low, high)}, seed=seed))


@given(st.integers(-(10**400), 10**400), st.integers(0, 10**400))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_integers_draws_between_its_ends(low: int, width: int) -> None:
    assert all(low <= point["x"] <= low + width for point in random(9, {"x": integers(low, low + width)}))


def test_integers_draws_each_about_as_often_its_ends_too() -> None:
    drawn = [point["x"] for point in random(3000, {"x": integers(1, 3)})]
    assert all(900 < drawn.count(value) < 1100 for value in (1, 2, 3))


def test_log_uniform_draws_as_many_below_the_middle_as_above() -> None:
    drawn = [point["x"] for point in random(2000, {"x": log_uniform(1e-5, 1e-3)})]
    assert 900 < sum(value < 1e-4 for value in drawn) < 1100


def test_samples_are_short() -> None:
    drawn = random(99, {"x": uniform(0, 1), "y": log_uniform(1e-5, 1e-3)})
    assert all(value == float(f"{value:.4g}") for point in drawn for value in point.values())


def test_samples_of_a_range_that_is_narrow_for_its_numbers_have_more_digits() -> None:
    axes = {"beta": uniform(0.999, 0.9999), "width": uniform(1000, 1001), "same": uniform(0.3, 0.3)}
    drawn = random(99, {**axes, "lr": log_uniform(0.999, 0.9999)})
    for key in ("beta", "width", "lr"):
        assert len({point[key] for point in drawn}) > 90, key
        assert all(value == float(f"{value:.7g}") for value in (point[key] for point in drawn))
    assert {point["same"] for point in drawn} == {0.3}


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: log_range(0, 1, 3),
        "log_range(0, 1, 3) must have both ends above 0\n  write: linear_range(0, 1, 3), or another end",
    ),
    (
        lambda: log_uniform(-1, 1),
        "log_uniform(-1, 1) must have both ends above 0\n  write: uniform(-1, 1), or another end",
    ),
    (
        lambda: linear_range(0, 1, 0),
        "linear_range(0, 1, 0) gives no value\n  write: linear_range(0, 1, 4)",
    ),
    (lambda: log_range(1, 2, -1), "log_range(1, 2, -1) gives no value\n  write: log_range(1, 2, 4)"),
    (lambda: log_range(1, 2, 1), "log_range(1, 2, 1) gives one value, and has two ends\n  write: [1]"),
    (lambda: uniform(2, 1), "uniform(2, 1) must have its lower end first\n  write: uniform(1, 2)"),
    (lambda: integers(3, 1), "integers(3, 1) must have its lower end first\n  write: integers(1, 3)"),
    (
        lambda: integers(1, 2.5),  # pyright: ignore[reportArgumentType]
        "integers(1, 2.5) must have whole numbers at its ends\n  write: uniform(1, 2.5)",
    ),
    (
        lambda: uniform(0, math.inf),
        "uniform(0, inf) must have two finite ends\n  write: the numbers between which to look",
    ),
    (
        lambda: log_range(1, math.nan, 3),
        "log_range(1, nan, 3) must have two finite ends\n  write: the numbers between which to look",
    ),
]


@pytest.mark.parametrize(("function", "text"), REFUSED)
def test_a_mistake_is_told_with_what_to_write_instead(function: Callable[[], Any], text: str) -> None:
    with pytest.raises(UserError) as error:
        function()
    assert str(error.value) == text
