"""A sweep's trials as rows over their seeds: nothing is averaged that differs, and nothing is left out."""

from __future__ import annotations

import math
from typing import Any

import pytest

from cn import UserError
from cn.sweeping.showing.result_table import measured
from cn.sweeping.showing.scores import Outcome, best, results
from sweeps import maximize, minimize
from tests.sweeps.outcomes import CODES, GOAL, SIX, outcome


def test_a_row_is_a_setting_over_its_seeds_best_first() -> None:
    first, second = results([*SIX[:4], *SIX[5:]], GOAL)
    assert (first.words, first.mean, first.spread, first.count, first.expected) == (("lr=0.2",), 0.85, None, 1, 2)
    assert second.words == ("lr=0.1",)
    assert (second.mean, second.spread) == (pytest.approx(0.8), pytest.approx(0.1))
    assert (second.count, second.expected, second.missing) == (3, 3, ())
    assert [value for _, value in second.values] == [0.9, 0.8, 0.7]


def test_a_setting_of_which_a_trial_failed_or_was_pruned_comes_after_those_without_one() -> None:
    """Its mean is of the seeds that went well."""
    assert [(row.words, row.count, row.failed) for row in results(SIX, GOAL)] == [
        (("lr=0.1",), 3, False),
        (("lr=0.2",), 1, True),
    ]
    diverged = [*SIX[:3], outcome("lr=0.3 seed=1", 0.99), outcome("lr=0.3 seed=2", math.nan), outcome("lr=9 seed=1")]
    assert [row.words for row in results(diverged, GOAL)] == [("lr=0.1",), ("lr=0.3",), ("lr=9",)]
    pruned = [*SIX[:3], outcome("lr=0.3 seed=1", 0.99), outcome("lr=0.3 seed=2", 0.1, "pruned")]
    assert [row.words for row in results(pruned, GOAL)] == [("lr=0.1",), ("lr=0.3",)]
    mended = [*SIX[:3], outcome("lr=0.3 seed=1", 0.99), outcome("lr=0.3 seed=2", state="failed", code="old")]
    assert [row.words for row in results(mended, GOAL)] == [("lr=0.3",), ("lr=0.1",)]


def test_what_has_not_ended_or_failed_is_missing_whatever_it_recorded() -> None:
    _, second = results(SIX, GOAL)
    assert [(each.trial.words[-1], why) for each, why in second.missing] == [
        ("seed=2", "failed"),
        ("seed=3", "running"),
    ]


def test_the_order_of_words_makes_no_other_setting() -> None:
    (row,) = results([outcome("a=1 seed=1 b=2", 0.5), outcome("b=2 a=1 seed=2", 0.7)], GOAL)
    assert (row.words, row.count) == (("a=1", "b=2"), 2)


def test_a_seed_of_a_part_is_no_seed_of_the_run() -> None:
    assert len(results([outcome("data.seed=1", 0.5), outcome("data.seed=2", 0.7)], GOAL)) == 2


def test_the_smallest_is_first_where_less_is_better() -> None:
    rows = results([outcome("a=1", 3), outcome("a=2", 1), outcome("a=3", 2)], minimize("validation/accuracy"))
    assert [row.words for row in rows] == [("a=2",), ("a=3",), ("a=1",)]


def test_rows_as_good_as_each_other_stay_in_their_order_and_those_without_a_value_are_last() -> None:
    trials = [outcome("a=1", state="new"), outcome("a=9", 0.5), outcome("a=2", math.nan), outcome("a=3", 0.5)]
    assert [row.words[0] for row in results(trials, GOAL)] == ["a=9", "a=3", "a=1", "a=2"]


def test_nan_and_infinity_are_no_values() -> None:
    trials = [outcome(f"seed={seed}", value) for seed, value in enumerate((math.nan, 0.5, -math.inf))]
    (row,) = results([*trials, outcome("seed=4", summary={"loss": 1.0})], GOAL)
    assert (row.mean, row.count, row.expected) == (0.5, 1, 4)
    assert [why for _, why in row.missing] == ["nan", "-inf", "no value"]


def test_values_of_different_code_are_never_averaged() -> None:
    rows = results(CODES, GOAL)
    assert [(row.code, row.count, row.expected) for row in rows] == [
        ("new00000000", 2, 4),
        ("old00000000", 1, 4),
        ("old00000000", 0, 1),
    ]


def test_a_trial_that_failed_with_other_code_makes_no_row_of_its_own() -> None:
    (row,) = results([outcome("seed=1", 0.6), outcome("seed=2", state="failed", code="old")], GOAL)
    assert (row.code, [why for _, why in row.missing]) == ("c0de", ["failed"])


def test_the_best_setting_has_the_best_mean_and_names_its_best_seed_first() -> None:
    trials = [*SIX[:3], outcome("lr=0.3 seed=1", 0.86), outcome("lr=0.3 seed=2", 0.88)]
    row = best(results(trials, GOAL), "vit_lr")
    assert (row.words, row.mean) == (("lr=0.3",), pytest.approx(0.87))
    assert row.values[0][0].trial.words == ("lr=0.3", "seed=2")


@pytest.mark.parametrize(
    ("trials", "told"),
    [
        (SIX[:3], "0.8000 +- 0.1000 over 3 seeds"),
        ([*SIX[:2], outcome("lr=0.1 seed=4", state="running")], "0.7500 +- 0.0707 over 2 of 3 seeds"),
        ([SIX[0], outcome("lr=0.1 seed=4", state="failed")], "0.7000 over 1 of 2 seeds"),
        (SIX[:1], "0.7000"),
    ],
    ids=["all", "one is missing", "one alone is there", "one trial"],
)
def test_a_setting_is_told_by_its_mean_spread_and_count(trials: list[Outcome], told: str) -> None:
    (row,) = results(trials, GOAL)
    assert measured(row, 4) == told


@pytest.mark.parametrize(
    ("trials", "message"),
    [
        ([], "no trial of vit_lr has a result yet\n  see: python -m sweeps status vit_lr"),
        (
            [
                outcome("a=1 seed=1", state="running"),
                outcome("a=1 seed=2", state="running"),
                outcome("a=2 seed=1", state="failed"),
                outcome("a=2 seed=2", math.nan),
            ],
            "no trial of vit_lr has a result yet: 2 running, 1 failed, 1 nan\n  see: python -m sweeps status vit_lr",
        ),
    ],
)
def test_no_best_while_there_is_no_value(trials: list[Outcome], message: str) -> None:
    with pytest.raises(UserError) as error:
        best(results(trials, GOAL), "vit_lr")
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("summary", "more"),
    [
        (
            {"best/validation/accuracy": 0.5, "test/accuracy": 0.5, "seconds": 3.0},
            "nearest: validation/accuracy, test/accuracy\n  write: goal.metric=validation/accuracy",
        ),
        ({"bleu": 0.5, "ok": True}, "choose from: bleu\n  write: goal.metric=NAME"),
        (
            {"validation/acuracy_error": 0.5},
            "nearest: validation/acuracy_error\n  write: goal.metric=validation/acuracy_error goal.direction=minimize",
        ),
        ({"device": "cpu"}, "none of them has a number in its summary.json, nor returned one"),
    ],
)
def test_a_goal_that_nothing_recorded_names_the_nearest(summary: dict[str, Any], more: str) -> None:
    with pytest.raises(UserError) as error:
        results([outcome("a=1", summary=summary), outcome("a=2", state="running")], maximize("validation/acuracy"))
    assert str(error.value) == f"no finished trial recorded 'validation/acuracy'\n  {more}"


def test_a_goal_that_nothing_could_record_yet_is_no_mistake() -> None:
    assert [row.count for row in results([outcome("a=2", state="running", summary={"loss": 1.0})], GOAL)] == [0]
