"""Results as they are shown: as a table, a csv, and plain data."""

from __future__ import annotations

import csv as tables
import io
import json
import math

import pytest

from cn.sweeping.showing.result_table import as_json, csv, table
from cn.sweeping.showing.scores import results
from tests.sweeps.outcomes import CODES, GOAL, SIX, outcome


def cells(text: str) -> list[list[str]]:
    return list(tables.reader(io.StringIO(text)))


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


def test_a_table_of_different_code_names_it() -> None:
    rows = results(CODES, GOAL)
    assert table(rows, GOAL).splitlines() == [
        "a  code      validation/accuracy  n    missing                                       best trial",
        "-  --------  -------------------  ---  --------------------------------------------  ----------",
        "1  new00000  0.8500 +- 0.0707     2/4  1 other code (seed 1), 1 queued (seed 4)      a=1,seed=3",
        "1  old00000  0.6000               1/4  2 other code (seeds 2, 3), 1 queued (seed 4)  a=1,seed=1",
        "2  old00000  -                    0/1  1 failed (seed 1)",
    ]
    assert len(cells(csv(rows))) == 1 + len(CODES)


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
    rows = as_json(results(SIX, GOAL), GOAL)
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert rows[1] == {
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
