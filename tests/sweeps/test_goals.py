"""A sweep with several goals has a Pareto front instead of one best setting."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from cn import UserError
from cn.nodes.former import before
from cn.nodes.to_json import plain
from cn.sweeping.folder.points import Points
from cn.sweeping.folder.store import Store
from cn.sweeping.search.past import Past, PointState
from cn.sweeping.showing.result_table import as_json, table
from cn.sweeping.showing.scores import results
from cn.writing.record import unplain
from sweeps import Tpe, log_uniform, maximize, minimize, space
from tests.sweeps.outcomes import outcome
from tests.sweeps.project import Project
from tests.sweeps.test_search import AXES, finished, hunt, points

BOTH = maximize("validation/accuracy") & minimize("parameters")


def sized(words: str, value: float, parameters: float | None) -> Any:
    return outcome(words, value, summary={} if parameters is None else {"parameters": parameters})


ROWS = [
    sized("width=1 seed=0", 0.5, 100),
    sized("width=1 seed=1", 0.7, 100),
    sized("width=2 seed=0", 0.5, 200),
    sized("width=2 seed=1", 0.6, 200),
    sized("width=4 seed=0", 0.9, 400),
    sized("width=8 seed=0", 0.95, None),
]


def test_goals_are_joined_and_told_apart() -> None:
    assert BOTH.each() == [maximize("validation/accuracy"), minimize("parameters")]
    assert (maximize("a") & minimize("b") & minimize("c")).described() == "maximize a and minimize b and minimize c"
    with pytest.raises(UserError, match=r"^a is a goal twice\n  keep it in one of them$"):
        maximize("a") & minimize("a")
    assert BOTH.values({"best/validation/accuracy": 0.5, "parameters": 7}) == (0.5, 7.0)
    assert BOTH.values({"best/validation/accuracy": 0.5}) is None


def test_a_row_is_on_the_front_unless_another_dominates_it() -> None:
    assert BOTH.front([(1, 1), (2, 2), (2, 2), (0, 3), (2, 3)]) == [True, True, True, False, False]
    assert (minimize("a") & maximize("b")).front([(1, 1), (2, 2), (2, 1)]) == [True, True, False]


def test_records_of_one_goal_load_silently_and_keep_their_form() -> None:
    old = {"_class_": "cn.sweeping.goal:Goal", "metric": "a", "direction": "maximize"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert unplain(old) == maximize("a")
    assert before(maximize("a"), plain(maximize("a"))) == old
    assert unplain(json.loads(json.dumps(plain(BOTH)))) == BOTH


def test_results_list_the_front_first_with_the_means_of_each_goal() -> None:
    rows = results(ROWS, BOTH)
    assert table(rows, BOTH) == (
        "width  validation/accuracy  parameters  front  n    missing                   best trial\n"
        "-----  -------------------  ----------  -----  ---  ------------------------  --------------\n"
        "4      0.9000               400.0       *      1/1                            width=4,seed=0\n"
        "1      0.6000 +- 0.1414     100.0       *      2/2                            width=1,seed=1\n"
        "2      0.5500 +- 0.0707     200.0              2/2                            width=2,seed=1\n"
        "8      -                    -                  0/1  1 no parameters (seed 0)"
    )
    assert [(row["means"], row["front"]) for row in as_json(rows, BOTH)] == [
        ([0.9, 400.0], True),
        ([0.6, 100.0], True),
        ([0.55, 200.0], False),
        ([], False),
    ]


def test_a_further_goal_that_nothing_recorded_names_the_nearest() -> None:
    with pytest.raises(UserError) as error:
        results(ROWS, maximize("validation/accuracy") & minimize("paramters"))
    assert str(error.value) == (
        "no finished trial recorded 'paramters'\n  nearest: parameters\n  write: 'goal.others={parameters: minimize}'"
    )


def test_the_values_of_all_goals_are_kept_for_a_later_search(tmp_path: Path) -> None:
    told = [Past({"x": 0.5}, PointState.DONE, 0.5, others=(7.0,)), Past({"x": 0.7}, PointState.PRUNED, 0.1, 3)]
    kept = Points(Store(tmp_path))
    assert kept.start() == []
    kept.set_start(told)
    assert kept.start() == told


def test_tpe_is_told_all_goals() -> None:
    search, drawn = Tpe(startup=5), space({"x": log_uniform(1e-3, 1)})
    search.begin()
    past: list[Past] = []
    for number in range(40):
        found = search.suggest_several(drawn, past, number, maximize=[True, False])
        x = found.values["x"]
        near = abs(x - 0.1)  # the best of both
        past.append(Past(found.values, PointState.DONE, -near, attributes=found.attributes, others=(near,)))
    early, late = (min(each.others[0] for each in part) for part in (past[:5], past[5:]))
    assert late < early / 2


GOALS = '    goal: Goal = maximize("validation/accuracy") & minimize("parameters")\n'


def with_goals(project: Project, name: str) -> None:
    text = (project.folder / f"sweeps/{name}.py").read_text().replace("Axes, ", "Axes, Goal, maximize, minimize, ", 1)
    project.write(f"sweeps/{name}.py", text + GOALS)


@pytest.mark.parametrize("sampler", ["Tpe(trials=5, startup=2)", "Random(trials=5)"])
def test_a_search_by_two_goals_has_a_front_in_results_best_status_and_report(sizes: Project, sampler: str) -> None:
    pytest.importorskip("plotly", reason="plotly is not installed: .[report]")
    name = hunt(sizes, sampler, axes='space({"value": log_uniform(0.1, 1)}) * seeds(2)')
    with_goals(sizes, name)
    sizes.sweeps("submit", name)
    assert finished(sizes, name) == {"done": 10}
    values = sorted((point["values"]["value"] for point in points(sizes)), reverse=True)
    told = sizes.asked("results", name)
    assert told["others"] == {"parameters": "minimize"}
    assert [row["means"] for row in told["rows"]] == [[pytest.approx(value), round(1000 * value)] for value in values]
    assert all(row["front"] for row in told["rows"])  # more accuracy takes more parameters
    assert [each["parameters"] for each in sizes.trials(name)] == [
        round(1000 * each["validation/accuracy"]) for each in sizes.trials(name)
    ]
    best = sizes.asked("best", name)
    assert [(each["mean"], each["others"]["parameters"]) for each in best["front"]] == [
        (pytest.approx(value), round(1000 * value)) for value in values
    ]
    said = sizes.sweeps("best", name)
    assert said.count("python train.py run=told ") == 5
    assert f", parameters {round(1000 * values[0])}" in said
    report = sizes.asked("report", name)
    assert report["others"] == {"parameters": "minimize"}
    assert [each["means"] for each in report["compared"]] == [row["means"] for row in told["rows"]]
    assert [len(each["names"]) for each in report["compared"]] == [2] * 5
    assert list(report["commands"]) == ["repeats the first of the front", "made by"]


AT = "  Hunt is defined in sweeps/hunt.py:9\n"
TWO = "goal has 2: maximize validation/accuracy and minimize parameters"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("search=gp", f"Gp takes one goal, and {TWO}; choose tpe or random\n{AT}"),
        ("search=cmaes", f"Cmaes takes one goal, and {TWO}; choose tpe or random\n{AT}"),
        (
            "search.race=2",
            f"search.race follows one goal, and {TWO}; write: search.race=null\n{AT}",
        ),
        ("prune=median", f"prune follows one goal, and {TWO}; write: prune=null\n{AT}"),
    ],
)
def test_what_takes_one_goal_is_refused(project: Project, word: str, said: str) -> None:
    name = hunt(project, axes=f"{AXES} * seeds(2)")
    with_goals(project, name)
    assert project.sweeps("plan", name, word, status=2) == said


def test_a_second_goal_may_be_given_on_the_command_line(sizes: Project) -> None:
    name = sizes.sweep("three", 'points([{"value": 0.5}, {"value": 0.25}])')
    text = (sizes.folder / "sweeps/three.py").read_text().replace("Axes, ", "Axes, Goal, maximize, ", 1)
    sizes.write("sweeps/three.py", text + '    goal: Goal = maximize("score")\n')
    sizes.sweeps("submit", name)
    sizes.wait("outputs/sweeps/three", lambda reports: [each["state"] for each in reports] == ["done"] * 2)
    rows = sizes.asked("results", name, "goal.others={parameters: maximize}")["rows"]
    assert [row["front"] for row in rows] == [True, False]
    said = sizes.sweeps("results", name, "goal.others={parameters: maximize}").splitlines()
    assert said[0].split() == ["value", "score", "parameters", "front", "n", "best", "trial"]
