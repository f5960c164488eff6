"""A space draws what its distributions hold, and each sampler comes near the best point of a simple function."""

from __future__ import annotations

import dataclasses
import json
import math
import random as random_module
import statistics
from typing import Any

import pytest

from cn import UserError
from cn.nodes.former import before
from cn.nodes.to_json import plain
from cn.sweeping.search import Search, study
from cn.sweeping.search.past import Past, PointState, Suggestion
from cn.writing.record import unplain
from sweeps import Axes, Cmaes, Gp, Random, Space, Tpe, grid, integers, log_uniform, random, seeds, space, uniform

AXES = {"lr": log_uniform(1e-5, 1e-1), "depth": integers(1, 8), "drop": uniform(0, 1), "head": ["a", ["b"], None]}
SAMPLERS: list[Search] = [Random(), Tpe(), Cmaes(), Gp()]
EACH = [*SAMPLERS[:-1], pytest.param(Gp(), marks=pytest.mark.slow)]


def loss(values: dict[str, Any]) -> float:
    return (math.log10(values["lr"]) + 3) ** 2 + (values["depth"] - 5) ** 2 / 10 + values["drop"]


def searched(search: Search, drawn: Space, count: int, *, sign: int = 1) -> list[Past]:
    """The points of a search, each with its loss, as they are told to it."""
    search.begin()
    past: list[Past] = []
    for number in range(count):
        found = search.suggest(drawn, past, number, maximize=sign < 0)
        assert drawn.fitting(found.values) is not None
        kept: dict[str, Any] = json.loads(json.dumps(found.attributes))  # as the file of a point keeps them
        value = sign * loss(found.values)
        past.append(Past(found.values, PointState.DONE, value, None, kept))
    return past


@pytest.mark.parametrize("search", EACH, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_sampler_finds_better_points_than_it_began_with_and_the_same_again(search: Search, sign: int) -> None:
    drawn = space(AXES)
    past = searched(search, drawn, 40, sign=sign)
    first, last = (min(abs(each.value or 0) for each in part) for part in (past[:10], past[10:]))
    assert isinstance(search, Random) or last < first
    again: Suggestion = search.suggest(drawn, past[:-1], 39, maximize=sign < 0)
    assert again.values == past[-1].values


@pytest.mark.parametrize("search", SAMPLERS, ids=lambda each: type(each).__name__)
def test_of_a_sum_each_point_comes_from_one_space_and_running_failed_and_pruned_points_may_be_told(
    search: Search,
) -> None:
    drawn = space({"model": ["vit"], "depth": integers(4, 12)}) + space({"model": ["resnet"], "depth": [18, 34]})
    search.begin()
    states = [PointState.DONE, PointState.RUNNING, PointState.FAILED, PointState.PRUNED]
    past: list[Past] = []
    for number in range(24):
        found, state = search.suggest(drawn, past, number, maximize=True), states[number % 4]
        known = state in (PointState.DONE, PointState.PRUNED)
        step = 3 if state == PointState.PRUNED else None
        past.append(Past(found.values, state, 0.5 if known else None, step, found.attributes))
    for each in past:
        depths = range(4, 13) if each.values["model"] == "vit" else (18, 34)
        assert each.values["depth"] in depths
    assert {each.values["model"] for each in past} == {"vit", "resnet"}
    past.append(Past({"of": "another space"}, PointState.DONE, 0.5))
    search.suggest(drawn, past, 24, maximize=True)


@pytest.mark.parametrize(
    "search",
    [Tpe(startup=2), Cmaes(), pytest.param(Gp(startup=2), marks=pytest.mark.slow)],
    ids=lambda each: type(each).__name__,
)
def test_a_sampler_learns_from_points_that_were_pruned(search: Search) -> None:
    drawn = space({"lr": log_uniform(1e-5, 1e-1), "drop": uniform(0, 1)})
    search.begin()

    def middle(sign: int) -> float:
        past: list[Past] = []
        for number in range(40):
            found = search.suggest(drawn, past, number, maximize=True)
            value = sign * math.log10(found.values["lr"])
            past.append(Past(found.values, PointState.PRUNED, value, 3, found.attributes))
        return statistics.median(math.log10(each.values["lr"]) for each in past[30:])

    assert middle(1) > middle(-1) + 1


def test_parameters_of_a_product_of_sums_are_shared_by_the_spaces_that_draw_them_alike() -> None:
    models = space({"model": ["vit"], "depth": integers(1, 3)}) + space(
        {"model": ["resnet"], "depth": integers(18, 34)}
    )
    drawn = models * (space({"optim": ["sgd"], "lr": uniform(0, 1)}) + space({"optim": ["adam"]}))
    assert len(drawn.spaces) == 4
    found = study.frozen(Past({"model": "resnet", "depth": 20, "optim": "sgd", "lr": 0.5}), drawn)
    assert found is not None
    assert found.params == {"space": 2, "model (1)": '"resnet"', "depth (1)": 20, "optim (0)": '"sgd"', "lr": 0.5}
    found = study.frozen(Past({"model": "vit", "depth": 2, "optim": "adam"}), drawn)
    assert found is not None
    assert found.params == {"space": 1, "model (0)": '"vit"', "depth (0)": 2, "optim (1)": '"adam"'}


def test_points_of_one_space_are_those_of_random_axes() -> None:
    drawn = space(AXES)
    assert [drawn.draw(number, 7) for number in range(20)] == random(20, AXES, seed=7).points


def test_a_space_is_multiplied_added_recorded_and_measured_repeatedly() -> None:
    one, other = space({"a": integers(1, 3)}), space({"b": [0.1, 0.2]})
    assert (one * other).spaces == [{"a": {"integers": [1, 3]}, "b": {"choices": [0.1, 0.2]}}]
    assert (one + other).spaces == [{"a": {"integers": [1, 3]}}, {"b": {"choices": [0.1, 0.2]}}]
    assert ((one + other) * space({"c": [1]})).keys() == ["a", "c", "b"]
    measured = one * seeds(3)
    assert measured == seeds(3) * one == Space(points=seeds(3).points, spaces=one.spaces)
    record = json.loads(json.dumps(plain(measured)))
    assert unplain(record) == measured
    assert unplain(record | {"_class_": "cn.sweeping.space:Space"}, types=(Axes,)) == measured, "of an older record"
    assert before(measured, record)["_class_"] == "cn.sweeping.space:Space", (
        "so that a sweep of before has the same identity"
    )
    assert (measured * grid({"part": [1, 2]})).points == (seeds(3) * grid({"part": [1, 2]})).points


REFUSED = {
    "no dict": (lambda: space([1]), "space(...) takes a dict from key to distribution, not [1]"),
    "no axis": (lambda: space({}), "space(...) takes a dict from key to distribution, not {}"),
    "one field in two ways": (
        lambda: space({"model/head": ["a"]}) * grid({"model.head": ["b"]}),
        "both factors of a product give model/head and model.head values",
    ),
    "measured and drawn": (
        lambda: space({"a": [1]}) * seeds(2) * space({"seed": [5]}),
        "both factors of a product give seed values",
    ),
    "other measures": (
        lambda: space({"a": [1]}) * seeds(2) + space({"b": [1]}),
        "the terms of a sum are measured differently often",
    ),
}


@pytest.mark.parametrize(("make", "text"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_space_is_refused(make: Any, text: str) -> None:
    with pytest.raises(UserError) as error:
        make()
    assert text in str(error.value)


def test_a_record_that_is_no_space_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^a is \{'normal': \[0, 1\]\}, which is no distribution: one of log_uniform, "
    ):
        Space(spaces=[{"a": {"normal": [0, 1]}}]).check()
    with pytest.raises(
        ValueError, match=r"^a is drawn, and is given for the repeated measures: keep it in one of them$"
    ):
        Space(points=[{"a": 1}], spaces=[{"a": {"choices": [1]}}]).check()


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [Tpe(startup=3), Cmaes(startup=3)], ids=repr)
@pytest.mark.parametrize("seed", range(4))
def test_a_study_that_is_told_what_is_new_suggests_what_a_new_study_does(sampler: Search, seed: int):
    area = space({"a": uniform(0, 1), "b": uniform(0, 1)})
    assert isinstance(area, Space)
    draw = random_module.Random(seed)
    past: list[Past] = []
    for number in range(40):
        running = [place for place, each in enumerate(past) if each.state == PointState.RUNNING]
        for place in draw.sample(running, min(len(running), draw.randrange(3))):
            state = draw.choice([PointState.DONE, PointState.DONE, PointState.FAILED, PointState.PRUNED])
            value = None if state == PointState.FAILED else draw.random()
            step = 3 if state == PointState.PRUNED else None
            past[place] = dataclasses.replace(past[place], state=state, value=value, step=step)
        pruned = [place for place, each in enumerate(past) if each.state == PointState.PRUNED]
        if pruned and draw.random() < 0.1:  # one that goes on
            past[pruned[0]] = dataclasses.replace(past[pruned[0]], state=PointState.RUNNING, value=None, step=None)
        told = sampler.suggest(area, past, number, maximize=True)
        kept, study._last[:] = list(study._last), []
        assert sampler.suggest(area, past, number, maximize=True) == told
        study._last[:] = kept
        if draw.random() < 0.1:
            continue  # the point is not taken
        past.append(Past(told.values, attributes=told.attributes))
        if draw.random() < 0.2:
            past.append(Past({"a": draw.random(), "b": 0.5}))  # of another process
        if draw.random() < 0.1:
            past.append(Past({"a": 2.0, "b": 0.5}))  # that the space cannot give


@pytest.mark.slow
@pytest.mark.parametrize(("maximize", "place"), [(False, 0.75), (True, 0.3)])
def test_cmaes_begins_around_the_best_given_point(maximize: bool, place: float) -> None:
    drawn = space({"lr": log_uniform(1e-5, 1e-1), "drop": uniform(0, 1), "head": ["a", "b"]})
    given = [{"lr": 10 ** (-5 + 4 * at), "drop": at, "head": "a"} for at in (0.75, 0.3)]
    ends = [Past(given[0], PointState.DONE, 1.0), Past(given[1], PointState.DONE, 2.0)]
    running = Past({"lr": 1e-2, "drop": 0.1, "head": "b"})

    def center(search: Search) -> tuple[float, float]:
        search.begin()
        found = [search.suggest(drawn, [*ends, running], number, maximize=maximize).values for number in range(100)]
        rates = [(math.log10(each["lr"]) + 5) / 4 for each in found]
        return statistics.fmean(rates), statistics.fmean(each["drop"] for each in found)

    assert center(Cmaes(first=given)) == pytest.approx((place, place), abs=0.06)
    assert center(Cmaes()) == pytest.approx((0.5, 0.5), abs=0.06)
    assert center(Cmaes(first=[running.values])) == pytest.approx((0.5, 0.5), abs=0.06)  # it is not done
