"""A sweep's trials as rows over their seeds: nothing is averaged that differs, and nothing is left out."""

from __future__ import annotations

import csv as tables
import io
import json
import math
from typing import Any

import pytest

from cn import UserError
from sweeps import maximize, minimize
from sweeps._results import Outcome, as_json, best, csv, results, table
from sweeps._store import State, Trial, of_trial

GOAL = maximize("validation/accuracy")


def outcome(
    words: str,
    value: Any = None,
    state: State = "done",
    code: str | None = "c0de",
    summary: dict[str, Any] | None = None,
) -> Outcome:
    """The trial of these words, with a value of the goal where one is given; its words are its id."""
    given = ({} if value is None else {"validation/accuracy": value}) | (summary or {})
    trial = Trial(words.replace(" ", ","), tuple(words.split()), {}, of_trial(words.replace(" ", ",")))
    return Outcome(trial, state, "it broke" if state == "failed" else None, given, code)


def cells(text: str) -> list[list[str]]:
    return list(tables.reader(io.StringIO(text)))


SIX = [
    outcome("lr=0.1 seed=1", 0.70),
    outcome("lr=0.1 seed=2", 0.80),
    outcome("lr=0.1 seed=3", 0.90),
    outcome("lr=0.2 seed=1", 0.85),
    outcome("lr=0.2 seed=2", 0.50, "failed"),
    outcome("lr=0.2 seed=3", 0.99, "running"),
]


def test_a_row_is_a_setting_over_its_seeds_best_first() -> None:
    first, second = results(SIX, GOAL)
    assert (first.words, first.mean, first.spread, first.count, first.expected) == (("lr=0.2",), 0.85, None, 1, 3)
    assert second.words == ("lr=0.1",)
    assert (second.mean, second.spread) == (pytest.approx(0.8), pytest.approx(0.1))
    assert (second.count, second.expected, second.missing) == (3, 3, ())
    assert [value for _, value in second.values] == [0.9, 0.8, 0.7]


def test_what_has_not_ended_or_failed_is_missing_whatever_it_recorded() -> None:
    first, _ = results(SIX, GOAL)
    assert [(each.trial.words[-1], why) for each, why in first.missing] == [("seed=2", "failed"), ("seed=3", "running")]


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
    trials = [
        outcome("a=1 seed=1", 0.6, code="old00000000"),
        outcome("a=1 seed=2", 0.8, code="new00000000"),
        outcome("a=1 seed=3", 0.9, code="new00000000"),
        outcome("a=1 seed=4", state="queued", code=None),
        outcome("a=2 seed=1", state="failed", code="old00000000"),
    ]
    rows = results(trials, GOAL)
    assert [(row.code, row.count, row.expected) for row in rows] == [
        ("new00000000", 2, 4),
        ("old00000000", 1, 4),
        ("old00000000", 0, 1),
    ]
    assert table(rows, GOAL).splitlines() == [
        "a  code      validation/accuracy  n    missing                                       best trial",
        "-  --------  -------------------  ---  --------------------------------------------  ----------",
        "1  new00000  0.8500 +- 0.0707     2/4  1 other code (seed 1), 1 queued (seed 4)      a=1,seed=3",
        "1  old00000  0.6000               1/4  2 other code (seeds 2, 3), 1 queued (seed 4)  a=1,seed=1",
        "2  old00000  -                    0/1  1 failed (seed 1)",
    ]
    assert len(cells(csv(rows))) == 1 + len(trials)


def test_a_trial_that_failed_with_other_code_makes_no_row_of_its_own() -> None:
    (row,) = results([outcome("seed=1", 0.6), outcome("seed=2", state="failed", code="old")], GOAL)
    assert (row.code, [why for _, why in row.missing]) == ("c0de", ["failed"])


def test_the_table_has_the_keys_that_differ_and_names_what_is_missing() -> None:
    trials = [
        outcome("epochs=3 model=vit model.dim=9 seed=1", 0.91234),
        outcome("epochs=3 model=vit model.dim=9 seed=2", 0.91334),
        outcome("epochs=3 model=mlp lr=0.0003107232505 seed=1", 0.88),
        outcome("epochs=3 model=mlp lr=0.0003107232505 seed=2", state="running"),
        *(outcome(f"epochs=3 model=cnn seed={seed}", state="new", code=None) for seed in range(4)),
    ]
    assert [line.rpartition("  ")[0] or line for line in table(results(trials, GOAL), GOAL).splitlines()] == [
        "model  model.dim  lr         validation/accuracy  n    missing           ",
        "-----  ---------  ---------  -------------------  ---  ------------------",
        "vit    9                     0.9128 +- 0.0007     2/2                    ",
        "mlp               0.0003107  0.8800               1/2  1 running (seed 2)",
        "cnn                          -                    0/4",
    ]


def test_long_numbers_stay_whole_where_they_would_become_the_same() -> None:
    trials = [outcome("lr=0.1234567891", 0.5), outcome("lr=0.1234567892", 0.6)]
    assert [line.split()[0] for line in table(results(trials, GOAL), GOAL).splitlines()[2:]] == [
        "0.1234567892",
        "0.1234567891",
    ]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((0.93216, 0.5), ["0.9322", "0.5000"]),
        ((98.7654, 1.0), ["98.77", "1.00"]),
        ((0.00012345, 0.0), ["0.0001234", "0.0000000"]),
        ((0.0, -2.5), ["0.000", "-2.500"]),
        ((12345678.0, 0.5), ["1.235e+07", "0"]),
        ((1.5e-12, 1e-13), ["1.500e-12", "1.000e-13"]),
    ],
)
def test_a_column_shows_four_digits_of_the_best(values: tuple[float, float], shown: list[str]) -> None:
    rows = results([outcome(f"a={place}", value) for place, value in enumerate(values)], GOAL)
    assert [line.split()[1] for line in table(rows, GOAL).splitlines()[2:]] == shown


def test_a_table_of_one_setting_or_of_none_is_a_table() -> None:
    assert table(results([outcome("", 0.5)], GOAL), GOAL).splitlines()[0] == "validation/accuracy  n    best trial"
    assert table(results([], GOAL), GOAL).splitlines()[0] == "validation/accuracy  n  best trial"


def test_csv_has_a_line_for_each_trial_with_all_that_it_was_given_and_recorded() -> None:
    trials = [
        outcome("lr=0.1 steps=9 seed=1", 0.5, summary={"steps": 9, "device": "cpu", "test/accuracy": 0.4}),
        outcome("lr=0.1 steps=9 seed=2", math.nan),
        outcome("name=a,b", state="failed", code=None),
    ]
    assert csv(results(trials, GOAL)).split("\n") == [
        "lr,steps,name,seed,state,goal,validation/accuracy,summary/steps,test/accuracy,id,folder,code",
        '0.1,9,,1,done,0.5,0.5,9,0.4,"lr=0.1,steps=9,seed=1","trials/lr/lr=0.1,steps=9,seed=1",c0de',
        '0.1,9,,2,done,,nan,,,"lr=0.1,steps=9,seed=2","trials/lr/lr=0.1,steps=9,seed=2",c0de',
        ',,"a,b",,failed,,,,,"name=a,b","trials/na/name=a,b",',
        "",
    ]


def test_words_without_a_value_have_a_cell_too() -> None:
    rows = results(
        [outcome("~callbacks.a", 0.3), outcome("name=", 0.2), outcome("+callbacks=a +callbacks=b", 0.1)], GOAL
    )
    header, *lines = cells(csv(rows))
    assert header[:3] == ["~callbacks.a", "name", "callbacks"]
    assert [line[:3] for line in lines] == [["~", "", ""], ["", "''", ""], ["", "", "a,b"]]


def test_json_is_plain_data_of_all_trials() -> None:
    rows = as_json(results(SIX, GOAL))
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert rows[0] == {
        "words": ["lr=0.2"],
        "code": "c0de",
        "mean": 0.85,
        "spread": None,
        "count": 1,
        "expected": 3,
        "best": "lr=0.2,seed=1",
        "values": [
            {
                "id": "lr=0.2,seed=1",
                "seed": "1",
                "state": "done",
                "folder": "trials/lr/lr=0.2,seed=1",
                "value": 0.85,
            }
        ],
        "missing": [
            {
                "id": f"lr=0.2,seed={seed}",
                "seed": seed,
                "state": state,
                "folder": f"trials/lr/lr=0.2,seed={seed}",
                "why": state,
                "reason": reason,
            }
            for seed, state, reason in (("2", "failed", "it broke"), ("3", "running", None))
        ],
    }


def test_the_best_trial_is_the_best_seed_of_the_best_setting() -> None:
    trials = [*SIX[:3], outcome("lr=0.3 seed=1", 0.86), outcome("lr=0.3 seed=2", 0.88)]
    assert best(results(trials, GOAL), "vit_lr").trial.words == ("lr=0.3", "seed=2")


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
        ({"device": "cpu"}, "none of them has a number in its summary.json, nor returned one"),
    ],
)
def test_a_goal_that_nothing_recorded_names_the_nearest(summary: dict[str, Any], more: str) -> None:
    with pytest.raises(UserError) as error:
        results([outcome("a=1", summary=summary), outcome("a=2", state="running")], maximize("validation/acuracy"))
    assert str(error.value) == f"no finished trial recorded 'validation/acuracy'\n  {more}"


def test_a_goal_that_nothing_could_record_yet_is_no_mistake() -> None:
    assert [row.count for row in results([outcome("a=2", state="running", summary={"loss": 1.0})], GOAL)] == [0]
