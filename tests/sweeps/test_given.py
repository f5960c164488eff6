"""A search tries the points that it is given first, and is told what other searches came to."""

from __future__ import annotations

import json

import pytest

from cn.sweeping.search.past import Past, PointState
from sweeps import Tpe, integers, log_uniform, space
from tests.sweeps.project import Project
from tests.sweeps.test_search import AXES, finished, hold, hunt, once_each, points

FIRST = [{"value": 0.5, "steps": 2}, {"value": 0.25, "steps": 3}]


@pytest.mark.parametrize("sampler", ["Random", "Tpe", "Cmaes"])
def test_given_points_are_asked_first_and_count_as_trials(project: Project, sampler: str):
    name = hunt(project, f"{sampler}(trials=5, first={FIRST})", parallel=1)
    said = project.sweeps("plan", name).splitlines()
    assert said[1].startswith(f"{sampler}(trials=5, seed=0")
    assert said[2:] == ["2 given points are asked first", "to submit: 1 worker on this machine"]
    project.sweeps("submit", name)
    assert finished(project, name) == {"done": 5}
    once_each(project, 5)
    asked = points(project)
    assert [point["values"] for point in asked[:2]] == FIRST
    assert [point["draw"] for point in asked] == [-1, -1, 0, 1, 2]


def test_a_point_that_is_given_later_is_asked_next_and_a_known_one_is_not_run_again(project: Project):
    name = hunt(project, f"Random(trials=2, first={FIRST[:1]})", parallel=1)
    project.sweeps("submit", name)
    assert finished(project, name) == {"done": 2}
    words = ["search.trials=4", "search.first=[{value: 0.125, steps: 1}, {value: 0.5, steps: 2}]"]
    project.sweeps("submit", name, *words)
    finished(project, name)
    once_each(project, 4)
    assert points(project)[2]["values"] == {"value": 0.125, "steps": 1}
    assert [point["draw"] for point in points(project)] == [-1, 0, -1, 1]


def test_a_given_point_that_is_not_asked_is_told(project: Project):
    name = hunt(project, "Random(trials=2)", base="act='hold', at=0", parallel=1)
    hold(project)
    project.sweeps("submit", name)
    word = "search.first=[{value: 0.125, steps: 1}]"
    assert project.sweeps("submit", name, word).splitlines()[:1] == ["nothing new to queue: its workers search"]
    said = "1 given point is not known to the workers that search: submit again when they have ended"
    assert said in project.sweeps("plan", name, word).splitlines()
    project.hold.unlink()
    assert finished(project, name) == {"done": 2}
    said = "  1 given point is left, and search.trials leaves room for 0: write search.trials=3"
    assert said in project.sweeps("submit", name, word).splitlines()


AT = "  Hunt is defined in sweeps/hunt.py:9\n"
REFUSED = {
    "[{value: 0.5, stesp: 2}]": (
        f"search.first[0] is no point of axes: 'stesp' is not in the space; nearest: steps\n{AT}"
    ),
    "[{value: 0.5, steps: 2}, {value: 7.5, steps: 2}]": (
        f"search.first[1] is no point of axes: value=7.5 is not in log_uniform(0.001, 1)\n{AT}"
    ),
    "[{value: 0.5, steps: two}]": (f"search.first[0] is no point of axes: steps='two' is not in integers(1, 3)\n{AT}"),
    "[{value: 0.5}]": f"search.first[0] is no point of axes: it has no value for steps\n{AT}",
}


@pytest.mark.parametrize(("first", "text"), REFUSED.items(), ids=REFUSED)
def test_a_given_point_that_the_space_cannot_give_is_refused(project: Project, first: str, text: str):
    name = hunt(project)
    assert project.sweeps("plan", name, f"search.first={first}", status=2) == text


def test_of_a_sum_the_reason_is_that_of_the_nearest_space(project: Project):
    axes = 'space({"act": ["exit"], "steps": [1]}) + space({"act": ["raise"], "steps": [7, 9], "at": [0]})'
    name = hunt(project, "Random(trials=2, first=[{'act': 'raise', 'steps': 8, 'at': 0}])", axes=axes)
    said = project.sweeps("plan", name, status=2)
    assert said == f"search.first[0] is no point of axes: steps=8 is none of [7, 9]\n{AT}"


def test_more_given_points_than_trials_are_refused(project: Project):
    name = hunt(project, f"Random(trials=1, first={FIRST})")
    said = project.sweeps("plan", name, status=2)
    where = "  Random is defined in cn/sweeping/search/random.py:12\n"
    assert said == f"search: first has 2 points, and trials is 1: they count as trials\n{where}"


def test_a_given_point_that_keep_leaves_out_is_refused(project: Project):
    name = hunt(project, f"Random(trials=4, first={FIRST})")
    more = "\n    def keep(self, trial):\n        return trial.steps < 3\n"
    project.write("sweeps/hunt.py", (project.folder / "sweeps/hunt.py").read_text() + more)
    said = project.sweeps("plan", name, status=2)
    assert said == "search.first[1] is a point that Hunt.keep() leaves out\n"


INVALID = """
    def check(self):
        if self.steps == 2:
            raise ValueError("2 steps are no number of steps")
"""


def test_an_invalid_point_is_told_as_failed_and_the_search_goes_on(project: Project):
    project.write("runs/told.py", (project.folder / "runs/told.py").read_text() + INVALID)
    name = hunt(project, "Tpe(trials=12)", parallel=1)
    project.sweeps("submit", name)
    told = finished(project, name)
    asked = points(project)
    assert len(asked) == 12
    invalid = [point for point in asked if point["values"]["steps"] == 2]
    assert 0 < len(invalid) < 12
    assert told == {"done": 12 - len(invalid)}
    reason = "2 steps are no number of steps"
    assert [point["reason"] for point in asked] == [reason if point in invalid else None for point in asked]
    assert [point["trials"] for point in invalid] == [[]] * len(invalid)
    said = project.sweeps("status", name).splitlines()
    assert f"12 of 12 points are asked, {len(invalid)} of them invalid: {reason}" in said
    search = project.asked("status", name)["search"]
    assert search["invalid"] == [{"values": point["values"], "reason": reason} for point in invalid]


STUBBORN = """

class Stubborn(Random):
    def suggest(self, space, past, number, *, maximize):
        found = super().suggest(space, past, number, maximize=maximize)
        found.values["steps"] = 2
        return found


class Hunt"""


def test_several_invalid_points_in_a_row_end_the_search_with_the_reason(project: Project):
    project.write("runs/told.py", (project.folder / "runs/told.py").read_text() + INVALID)
    name = hunt(project, "Stubborn(trials=12)", parallel=1)
    text = (project.folder / "sweeps/hunt.py").read_text()
    project.write("sweeps/hunt.py", text.replace("\n\nclass Hunt", STUBBORN))
    project.sweeps("submit", name)
    assert finished(project, name) == {}
    assert len(points(project)) == 5
    reason = "2 steps are no number of steps"
    why = f"the search ended: 5 points in a row are invalid: {reason}"
    said = f"5 of 12 points are asked, 5 of them invalid: {reason}; {why}"
    assert said in project.sweeps("status", name).splitlines()


def test_a_space_without_a_valid_point_is_refused_before_anything_is_queued(project: Project):
    project.write("runs/told.py", (project.folder / "runs/told.py").read_text() + INVALID)
    name = hunt(project, axes='space({"steps": [2], "at": [1, 2, 3]})')
    said = project.sweeps("submit", name, status=2)
    assert said == "2 steps are no number of steps\n  Told is defined in runs/told.py:12\n"


def another(project: Project, search: str, *, axes: str = AXES) -> str:
    """Write a second search beside `hunt`; its name."""
    path = project.folder / "sweeps/hunt.py"
    kept = path.read_text() if path.exists() else None
    hunt(project, search, axes=axes, parallel=1)
    project.write("sweeps/chase.py", path.read_text().replace("class Hunt", "class Chase"))
    path.unlink()
    if kept is not None:
        project.write("sweeps/hunt.py", kept)
    return "chase"


def test_points_of_another_search_are_told_first_and_what_is_left_out_is_said(project: Project):
    first = [{"value": 0.9, "steps": 1}, {"value": 0.1, "steps": 3}]
    name = another(project, "Tpe(trials=3, startup=8, start=['hunt'])", axes=AXES.replace("1e-3, 1)", "1e-3, 0.8)"))
    hunt(project, f"Random(trials=10, first={first})", base="steps=2", parallel=4)
    project.sweeps("submit", "hunt")
    assert finished(project, "hunt") == {"done": 10}
    one = points(project)[3]["trials"][0]
    report = project.folder / "outputs/sweeps/hunt" / one["folder"] / "trial.json"
    report.write_text(json.dumps(json.loads(report.read_text()) | {"state": "failed"}))
    high = [point for point in points(project) if point["values"]["value"] > 0.8]
    why = f"value={high[0]['values']['value']} is not in log_uniform(0.001, 0.8)"
    left = f"1 do not fit the space: {why}; 1 have no value"
    assert f"8 of 10 points of hunt are told first; {left}" in project.sweeps("plan", name).splitlines()
    said = project.sweeps("submit", name)
    assert f"  8 of 10 points of hunt are told first; {left}" in said.splitlines()
    assert finished(project, name) == {"done": 3}
    told = json.loads((project.folder / "outputs/sweeps/chase/search/start.json").read_text())["points"]
    kept = [point["values"] for point in points(project) if point not in (*high, points(project)[3])]
    assert [each["values"] for each in told] == kept
    assert [each["value"] for each in told] == [each["value"] for each in kept]
    assert {each["state"] for each in told} == {"done"}
    own = points(project, "outputs/sweeps/chase")
    assert len(own) == 3
    alone = Tpe(trials=3, startup=8)
    alone.begin()
    drawn = space({"value": log_uniform(1e-3, 0.8), "steps": integers(1, 3)})
    past = [Past(each["values"], PointState.DONE, each["value"]) for each in told]
    assert alone.suggest(drawn, past, 0, maximize=True).values == own[0]["values"]
    assert alone.suggest(drawn, [], 0, maximize=True).values != own[0]["values"]


def test_points_are_told_from_a_folder_that_the_command_line_names(project: Project):
    hunt(project, "Random(trials=2)", parallel=1)
    project.sweeps("submit", "hunt")
    finished(project, "hunt")
    name = another(project, "Tpe(trials=2)")
    said = project.sweeps("plan", name, "search.start=[outputs/sweeps/hunt]")
    assert "2 of 2 points of outputs/sweeps/hunt are told first" in said.splitlines()


def test_a_start_that_cannot_be_told_is_refused(project: Project):
    hunt(project, "Random(trials=2)", parallel=1)
    name = another(project, "Tpe(trials=2)")
    said = project.sweeps("plan", name, "search.start=[hunt]", status=2)
    assert said == "nothing of search.start=hunt was submitted\n  write: python -m sweeps submit hunt\n"
    project.sweeps("submit", "hunt")
    finished(project, "hunt")
    assert project.sweeps("plan", name, "search.start=[hunt]", "search=random", status=2) == (
        "search: start tells points of other searches, and random draws without them: choose tpe or gp\n"
        "  Random is defined in cn/sweeping/search/random.py:12\n"
    )
    assert project.sweeps("plan", name, "search.start=[chase]", status=2) == (
        "search.start=chase is this sweep, whose own points are told anyway\n  leave it out\n"
    )
    assert project.sweeps("plan", name, "search.start=[hunnt]", status=2).splitlines()[2] == "  nearest: hunt"
    text = (project.folder / "sweeps/chase.py").read_text().replace("Axes, ", "Axes, Goal, minimize, ", 1)
    project.write("sweeps/chase.py", f'{text}    goal: Goal = minimize("loss")\n')
    assert project.sweeps("plan", name, "search.start=[hunt]", status=2) == (
        "search.start=hunt has another goal: maximize validation/accuracy, and here it is minimize loss\n"
        "  leave it out, or give both the same goal\n"
    )
    name = another(project, "Tpe(trials=2)", axes='space({"value": [1, 2]})')
    value = points(project)[0]["values"]["value"]
    assert project.sweeps("plan", name, "search.start=[hunt]", status=2) == (
        f"no point of search.start=hunt can be told: 2 do not fit the space: value={value} is none of [1, 2]\n"
        "  leave it out\n"
    )
    project.sweep("three", "seeds(3)")
    project.sweeps("submit", "three")
    assert project.sweeps("plan", name, "search.start=[three]", status=2) == (
        "no point of search.start=three can be told: it is no search, or has asked none yet\n  leave it out\n"
    )
