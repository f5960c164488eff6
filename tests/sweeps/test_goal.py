"""A goal reads one number from a run's summary, and tells which of two is better."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

import cn
from cn import UserError
from sweeps import Goal, maximize, minimize

GOAL = maximize("validation/accuracy")


def test_maximize_and_minimize_name_the_metric_and_the_way() -> None:
    assert Goal(metric="a", direction="maximize") == maximize("a")
    assert Goal(metric="a", direction="minimize") == minimize("a")


@pytest.mark.parametrize(
    ("summary", "value"),
    [
        ({"validation/accuracy": 0.5}, 0.5),
        ({"validation/accuracy": 0.5, "best/validation/accuracy": 0.75}, 0.75),
        ({"best/validation/accuracy": 1}, 1.0),
        ({"test/accuracy": 0.5}, None),
        ({}, None),
        ({"validation/accuracy": None}, None),
        ({"validation/accuracy": "0.5"}, None),
        ({"validation/accuracy": True}, None),
        ({"validation/accuracy": 0.5, "best/validation/accuracy": math.nan}, None),
        (json.loads('{"validation/accuracy": NaN}'), None),
        (json.loads('{"validation/accuracy": -Infinity}'), None),
    ],
)
def test_the_best_of_a_run_goes_before_its_last_and_what_is_not_finite_is_missing(summary: Any, value: Any) -> None:
    assert GOAL.of(summary) == value
    assert type(GOAL.of(summary)) is type(value)


def test_the_best_come_first_and_what_is_missing_or_nan_last() -> None:
    values = [None, 0.5, math.nan, 0.75, -1.0, math.inf, -math.inf]
    assert sorted(values, key=maximize("a").order)[:3] == [0.75, 0.5, -1.0]
    assert sorted(values, key=minimize("a").order)[:3] == [-1.0, 0.5, 0.75]
    assert min([math.nan, 0.5], key=maximize("a").order) == 0.5


@pytest.mark.parametrize("metric", ["", " "])
def test_an_empty_metric_is_refused(metric: str) -> None:
    with pytest.raises(UserError) as error:
        cn.compose(maximize(metric))
    told = str(error.value).splitlines()
    assert told[0] == "metric is empty, and must name a value of summary.json, such as validation/accuracy"
    assert told[1].startswith("  Goal is defined in cn/sweeping/goal.py:")


def test_a_name_may_say_that_the_other_direction_is_better() -> None:
    assert maximize("validation/loss").other_way == "minimize"
    assert minimize("validation/accuracy").other_way == "maximize"
    for goal in (minimize("loss"), maximize("test/f1"), maximize("parameters"), minimize("a"), minimize("score")):
        assert goal.other_way is None


def test_another_direction_is_refused() -> None:
    with pytest.raises(UserError) as error:
        Goal(metric="a", direction="up")  # pyright: ignore[reportArgumentType]
    assert str(error.value).splitlines()[0] == "Goal.direction is one of 'maximize', 'minimize', not 'up'"


def test_a_goal_needs_both_values() -> None:
    with pytest.raises(UserError, match="metric is required and was not given"):
        cn.compose(Goal)
