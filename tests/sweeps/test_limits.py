"""A limit says what may be the best: results, samplers, races and pruning follow it."""

from __future__ import annotations

import json
import re
import statistics
import warnings
from pathlib import Path
from typing import Any

import pytest

from cn import UserError, compose
from cn.nodes.former import before
from cn.nodes.to_json import plain
from cn.sweeping.folder.batches import Batch, Trial
from cn.sweeping.folder.points import Point, Points
from cn.sweeping.folder.store import Store
from cn.sweeping.job.reporter import promoted, reporter
from cn.sweeping.limit import Limit, total
from cn.sweeping.search import Search, study
from cn.sweeping.search.past import Past, PointState
from cn.sweeping.showing.result_table import as_json, table
from cn.sweeping.showing.scores import best, results
from cn.writing.record import unplain
from sweeps import Goal, Gp, Halving, Median, Tpe, at_least, at_most, maximize, minimize, space, uniform
from sweeps.fcn_search import FcnSearch
from tests.sweeps.outcomes import outcome
from tests.sweeps.project import Project
from tests.sweeps.test_goals import sized
from tests.sweeps.test_search import AXES, finished, hunt

LIMITED = maximize("validation/accuracy") & at_most("parameters", 300)
ROWS = [
    sized("width=1 seed=0", 0.5, 100),
    sized("width=1 seed=1", 0.7, 100),
    sized("width=2 seed=0", 0.8, 290),
    sized("width=2 seed=1", 0.8, 310),  # a mean of 300 is within the limit
    sized("width=4 seed=0", 0.9, 400),
    sized("width=8 seed=0", 0.95, 800),
    sized("width=9 seed=0", 0.99, None),
]


def test_limits_are_joined_to_a_goal_in_any_order() -> None:
    goal = maximize("a") & at_most("c", 1e6) & minimize("b") & at_least("d", 0.5)
    assert goal == at_least("d", 0.5) & (maximize("a") & minimize("b")) & at_most("c", 1e6)
    assert goal == maximize("a") & (minimize("b") & at_most("c", 1e6) & at_least("d", 0.5))
    assert goal.each() == [maximize("a"), minimize("b")]
    assert goal.limits() == [at_most("c", 1e6), at_least("d", 0.5)]
    assert goal.measured() == ["a", "b", "c", "d"]
    assert goal.described() == "maximize a and minimize b, with c <= 1e+06 and d >= 0.5"
    assert goal.values({"a": 1, "b": 2, "c": 3, "d": 4}) == (1.0, 2.0)
    assert goal.values({"a": 1, "b": 2, "c": 3}) is None
    assert goal.values({"a": 1, "b": 2, "c": float("inf"), "d": 4}) is None


@pytest.mark.parametrize("other", [3, "b", None])
def test_nothing_else_is_joined_to_a_goal(other: Any) -> None:
    with pytest.raises(TypeError):
        maximize("a") & other
    with pytest.raises(TypeError):
        other & maximize("a")


@pytest.mark.parametrize("each", [at_most, at_least])
def test_a_metric_has_each_kind_of_limit_once(each: Any) -> None:
    with pytest.raises(UserError, match=r"^a is limited twice\n  keep one of the two$"):
        maximize("a") & each("a", 1) & (minimize("b") & each("a", 1))


@pytest.mark.parametrize(
    ("limit", "value", "excess"),
    [
        (at_most("a", 200), 300, 0.5),
        (at_most("a", 200), 200, 0),
        (at_most("a", -200), -100, 0.5),
        (at_least("a", 0.5), 0.25, 0.5),
        (at_least("a", 0.5), 1.0, -1.0),
        (at_most("a", 0), 3.0, 3.0),
    ],
)
def test_a_value_is_beyond_a_limit_by_a_part_of_it(limit: Limit, value: float, excess: float) -> None:
    assert limit.excess(value) == excess
    assert total({"this": excess, "that": -7.0}) == max(0, excess)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"at_most": {"": 1.0}}, "at_most has an empty name, and must name values of summary.json, such as parameters"),
        (
            {"at_least": {" ": 1.0}},
            "at_least has an empty name, and must name values of summary.json, such as parameters",
        ),
        ({"at_most": {"a": float("inf")}}, "at_most holds a: inf, which limits nothing: leave it out"),
        ({"at_least": {"a": float("nan")}}, "at_least holds a: nan, which limits nothing: leave it out"),
        ({"at_least": {"a": 2.0}, "at_most": {"a": 1.0}}, "no value of a is at least 2 and at most 1"),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        Goal(metric="score", direction="maximize", **limits).check()


def test_records_without_limits_load_silently_and_keep_their_form() -> None:
    old = {"_class_": "cn.sweeping.goal:Goal", "metric": "a", "direction": "maximize"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert unplain(old) == maximize("a")
    assert before(maximize("a"), plain(maximize("a"))) == old
    assert unplain(json.loads(json.dumps(plain(LIMITED)))) == LIMITED


def test_results_list_what_is_beyond_a_limit_after_what_is_within_by_how_much() -> None:
    rows = results(ROWS, LIMITED)
    assert table(rows, LIMITED) == (
        "width  validation/accuracy  parameters <= 300  n    missing                   best trial\n"
        "-----  -------------------  -----------------  ---  ------------------------  --------------\n"
        "2      0.8000 +- 0.0000     300.0              2/2                            width=2,seed=0\n"
        "1      0.6000 +- 0.1414     100.0              2/2                            width=1,seed=1\n"
        "4      0.9000               400.0 (beyond)     1/1                            width=4,seed=0\n"
        "8      0.9500               800.0 (beyond)     1/1                            width=8,seed=0\n"
        "9      -                    -                  0/1  1 no parameters (seed 0)"
    )
    assert [(row["limited"], row["within"]) for row in as_json(rows, LIMITED)] == [
        ([300.0], True),
        ([100.0], True),
        ([400.0], False),
        ([800.0], False),
        ([], False),
    ]
    assert best(rows, "hunt").words == ("width=2",)


def test_no_best_is_shown_where_nothing_is_within_the_limits() -> None:
    goal = maximize("validation/accuracy") & at_most("parameters", 50) & at_least("validation/accuracy", 0.1)
    with pytest.raises(UserError) as error:
        best(results(ROWS, goal), "hunt")
    assert str(error.value) == (
        "no setting of hunt is within the limits; the nearest has 100 for parameters <= 50\n"
        "  see: python -m sweeps results hunt"
    )


def test_a_front_is_made_of_what_is_within_the_limits() -> None:
    goal = maximize("validation/accuracy") & minimize("parameters") & at_most("parameters", 300)
    rows = results(ROWS, goal)
    assert [(row.words, row.front) for row in rows if row.front] == [(("width=2",), True), (("width=1",), True)]


def test_a_limit_on_what_nothing_recorded_names_the_nearest() -> None:
    with pytest.raises(UserError) as error:
        results(ROWS, maximize("validation/accuracy") & at_most("paramters", 300))
    assert str(error.value) == (
        "no finished trial recorded 'paramters'\n  nearest: parameters\n  write: 'goal.at_most={parameters: 300}'"
    )


def test_a_limit_on_a_text_is_refused() -> None:
    told = [outcome("width=1", 0.5, summary={"state": "finished", "parameters": 3})]
    with pytest.raises(UserError) as error:
        results(told, maximize("validation/accuracy") & at_most("state", 300))
    assert str(error.value) == (
        "no finished trial recorded 'state'\n  choose from: parameters, validation/accuracy\n"
        "  write: 'goal.at_most={NAME: 300}'"
    )


@pytest.mark.parametrize("kind", [Tpe, pytest.param(Gp, marks=pytest.mark.slow)])
def test_a_sampler_that_is_told_of_limits_stays_near_the_best_within_them(kind: type[Search]) -> None:
    """The value and what is limited are both x, so that without the limit the best is at 1."""

    def late(goal: Goal) -> list[float]:
        search, drawn, past = kind(startup=8), space({"x": uniform(0, 1)}), list[Past]()  # type: ignore[call-arg]
        for number in range(30):
            found = search.suggest(drawn, past, number, maximize=True)
            x = found.values["x"]
            past.append(
                Past(found.values, PointState.DONE, x, attributes=found.attributes, excess=goal.excess({"x": x}))
            )
        return [each.values["x"] for each in past[15:]]

    kind().begin()
    limited, free = late(maximize("x") & at_most("x", 0.4)), late(maximize("x"))
    assert statistics.median(limited) == pytest.approx(0.4, abs=0.1)
    assert max(x for x in limited if x <= 0.4) > 0.35
    assert statistics.median(free) > 0.8


def test_a_study_is_told_of_limits_whether_it_knew_the_point_or_not() -> None:
    search, drawn = Tpe(), space({"x": uniform(0, 1)})
    search.begin()
    asked = search.suggest(drawn, [], 0, maximize=True)
    ended = Past(asked.values, PointState.DONE, 1.0, attributes=asked.attributes, excess={"x <= 0.4": 0.5})
    search.suggest(drawn, [ended], 1, maximize=True)  # the study knew the point as a running one
    fresh = study.frozen(Past({"x": 0.7}, PointState.DONE, 1.0, excess={"x <= 0.4": 0.75}), drawn)
    assert fresh is not None
    assert fresh.constraints == {"x <= 0.4": 0.75}
    kept = study._last[0].study  # pyright: ignore[reportPrivateUsage]
    assert kept is not None
    assert kept.get_trials()[0].constraints == {"x <= 0.4": 0.5}


def told(folder: Path, values: list[float], sizes: list[float], prune: Any) -> tuple[Store, list[Trial], list[Any]]:
    """Trials that have reported values at three steps, and recorded their size; and the reporter of each."""
    sweep = FcnSearch(prune=prune, goal=LIMITED)
    batch = Batch("0001", "", "", {}, "", None, None, None, (), goal=plain(LIMITED), search=plain(sweep))
    store, points, trials = Store(folder), Points(Store(folder)), list[Trial]()
    for number, (value, size) in enumerate(zip(values, sizes, strict=True)):
        trial = Trial(f"t{number}", (), {}, f"trials/t{number}")
        store.at(trial).mkdir(parents=True)
        lines = [json.dumps({"step": step, "value": value}) for step in (1, 2, 3)]
        (store.at(trial) / "reports.jsonl").write_text("\n".join(lines) + "\n")
        (store.at(trial) / "summary.json").write_text(json.dumps({"parameters": size}))
        points.add(Point(number, number, {}, (trial,), "0001", 0))
        trials.append(trial)
    return store, trials, [reporter(batch, store.folder, store.at(trial)) for trial in trials]


def test_pruning_compares_with_trials_within_the_limits(tmp_path: Path) -> None:
    large = [0.9, 0.9, 0.9]
    _, _, reporters = told(tmp_path / "a", [*large, 0.5, 0.4], [400, 400, 400, 100, 100], Median(after=1, others=1))
    assert not reporters[3](3, {"validation/accuracy": 0.5})
    assert reporters[4](3, {"validation/accuracy": 0.4})
    _, _, reporters = told(tmp_path / "b", [*large, 0.5, 0.4], [100] * 5, Median(after=1, others=1))
    assert reporters[3](3, {"validation/accuracy": 0.5})


def test_a_promotion_is_of_a_trial_within_the_limits(tmp_path: Path) -> None:
    rule = Halving(after=3, factor=2)
    store, trials, _ = told(tmp_path, [0.9, 0.5, 0.4], [400, 100, 100], rule)
    assert promoted(store, rule, LIMITED, trials, ["t0", "t1", "t2"]) == "t1"
    assert promoted(store, rule, maximize("validation/accuracy"), trials, ["t0", "t1", "t2"]) == "t0"


def test_a_limit_is_typed_for_the_goal_of_the_base() -> None:
    limited = compose(FcnSearch, ["goal.at_most={parameters: 300}"])
    assert limited.goal == LIMITED
    assert compose(FcnSearch, ["goal.direction=minimize"]).goal == minimize("validation/accuracy")
    assert compose(FcnSearch, []).goal == FcnSearch().goal == maximize("validation/accuracy")


LIMIT = '    goal: Goal = maximize("validation/accuracy") & at_most("parameters", 500)\n'


def with_limit(project: Project, name: str) -> None:
    text = (project.folder / f"sweeps/{name}.py").read_text().replace("Axes, ", "Axes, Goal, at_most, maximize, ", 1)
    project.write(f"sweeps/{name}.py", text + LIMIT)


def test_a_search_under_a_limit_from_submit_to_export(sizes: Project) -> None:
    optuna = pytest.importorskip("optuna")
    pytest.importorskip("plotly", reason="plotly is not installed: .[report]")
    name = hunt(sizes, "Tpe(trials=14, startup=6)", axes='space({"value": log_uniform(0.1, 1)})', parallel=1)
    with_limit(sizes, name)
    sizes.sweeps("submit", name)
    assert finished(sizes, name) == {"done": 14}
    told = sizes.asked("results", name)
    assert (told["at_most"], told["at_least"]) == ({"parameters": 500}, {})
    within = [row["mean"] for row in told["rows"] if row["within"]]
    beyond = [row["mean"] for row in told["rows"] if not row["within"]]
    assert within == sorted(within, reverse=True)
    assert beyond == sorted(beyond)  # by how much they are beyond the limit
    assert len(within) + len(beyond) == 14
    assert max(within) <= 0.5005 < min(beyond)
    found = sizes.asked("best", name)
    assert (found["mean"], found["limited"]) == (within[0], {"parameters": round(1000 * within[0])})
    assert f"validation/accuracy {within[0]:.4f}, parameters {round(1000 * within[0])}" in sizes.sweeps("best", name)
    assert [each["parameters"] for each in sizes.trials(name)] == [
        round(1000 * each["validation/accuracy"]) for each in sizes.trials(name)
    ]
    report = sizes.asked("report", name)
    assert report["limits"] == ["parameters <= 500"]
    assert [(each["limited"], each["beyond"]) for each in report["entries"]] == [
        ([round(1000 * each["goal"])], each["goal"] > 0.5005) for each in report["entries"]
    ]
    file = sizes.asked("export", name, "--optuna", "study.log")["file"]
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(sizes.folder / file)))
    study = optuna.load_study(study_name=name, storage=storage)
    assert study.best_value == within[0]
    assert {tuple(each.constraints) for each in study.trials} == {("parameters <= 500",)}
    said = sizes.sweeps("best", name, "goal.at_most={parameters: 5}", status=2)
    lowest = round(1000 * min(within))
    assert said == (
        f"no setting of hunt is within the limits; the nearest has {lowest} for parameters <= 5\n"
        "  see: python -m sweeps results hunt\n"
    )


def test_a_race_compares_with_points_within_the_limits(sizes: Project) -> None:
    """The two large points would end that of 0.4 after its first seed."""
    first = [{"value": 0.9}, {"value": 0.8}, {"value": 0.3}, {"value": 0.35}, {"value": 0.4}, {"value": 0.2}]
    name = hunt(
        sizes,
        f"Random(trials=6, race=2, first={first})",
        axes='space({"value": log_uniform(0.1, 1)}) * seeds(2)',
        parallel=1,
    )
    with_limit(sizes, name)
    sizes.sweeps("submit", name)
    finished(sizes, name)
    counts = {round(row["mean"], 3): row["count"] for row in sizes.asked("results", name)["rows"]}
    assert counts == {0.9: 2, 0.8: 2, 0.3: 2, 0.35: 2, 0.4: 2, 0.2: 1}


def test_the_points_of_a_search_with_other_limits_are_told_with_these(sizes: Project) -> None:
    name = hunt(sizes, "Tpe(trials=4)", axes='space({"value": log_uniform(0.1, 1)})')
    sizes.sweeps("submit", name)
    finished(sizes, name)
    (sizes.folder / "sweeps/after.py").write_text(
        (sizes.folder / f"sweeps/{name}.py").read_text().replace("class Hunt", "class After")
    )
    with_limit(sizes, "after")
    sizes.sweeps("submit", "after", "search.start=[hunt]")
    finished(sizes, "after")
    kept = Points(Store(sizes.folder / "outputs/sweeps/after")).start()
    assert [each.excess for each in kept] == [
        {"parameters <= 500": pytest.approx(each.value * 2 - 1, abs=0.002)} for each in kept if each.value is not None
    ]
    assert len(kept) == 4


def test_a_search_that_follows_no_limits_is_refused(project: Project) -> None:
    name = hunt(project, axes=AXES)
    with_limit(project, name)
    assert project.sweeps("plan", name, "search=cmaes", status=2) == (
        "Cmaes follows no limits, and goal has parameters <= 500; choose tpe, gp or random\n"
        "  Hunt is defined in sweeps/hunt.py:9\n"
    )


def test_the_picture_names_the_limits_and_marks_nothing_beyond_them() -> None:
    from cn.sweeping.showing.axis_panel import seeds
    from cn.sweeping.showing.picture import _title  # type: ignore[attr-defined]

    rows = results(ROWS, LIMITED)
    note = "2 of 5 settings are beyond a limit: parameters <= 300"
    assert note in _title("hunt", rows, LIMITED, ["width"], 200)
    assert seeds(rows) == {"width=2,seed=0", "width=2,seed=1"}
    none = maximize("validation/accuracy") & at_most("parameters", 5)
    rows = results(ROWS, none)
    assert _title("hunt", rows, none, ["width"], 200).startswith(
        "hunt: validation/accuracy: no setting is within the limits\n"
    )
    assert seeds(rows) == set()
