"""A metric that validations are compared by: how a summary says it, and what the test calls it."""

from __future__ import annotations

import pytest

from cn.run_folder.progress import goal
from cn.run_folder.watched import Watched
from cn.writing.record import unplain
from runs.task import maximize, minimize
from sweeps import Goal


@pytest.mark.parametrize("each", [maximize("accuracy"), minimize("loss"), minimize("a metric of two words")])
def test_a_summary_says_it_and_it_is_read_back(each: Watched):
    assert goal({"goal": str(each)}) == each


def test_the_way_is_said_where_the_name_alone_tells_it():
    assert str(Watched("validation/loss")) == "minimize validation/loss"
    assert str(Watched("validation/accuracy")) == "maximize validation/accuracy"


def test_a_summary_that_says_none_is_of_the_accuracy():
    assert goal({}) == maximize("accuracy")


def test_the_score_is_the_same_metric_of_the_test():
    assert minimize("loss").test == "test/loss"
    assert Watched("validation/of/validation/loss").test == "test/of/validation/loss"


def test_a_record_of_a_sweeps_goal_loads_under_its_name():
    record = {"_class_": "cn.sweeping.goal:Goal", "metric": "validation/loss", "direction": "minimize"}
    assert unplain(record) == Goal(metric="validation/loss", direction="minimize")
