"""Values are derived in Python from the whole run; a value that is given, wherever, wins."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from cn import CN, UserError, compose, derive


class Schedule(CN):
    warmup: int = derive(lambda run: run.steps // 10)
    decay: int = derive(lambda run, schedule: run.steps - schedule.warmup)
    floor: float = derive(lambda run: run.steps / 100)


class Run(CN):
    steps: int = 100
    schedule: Schedule = Schedule()
    schedules: dict[str, Schedule] = {"a": Schedule(), "b": Schedule(warmup=1)}
    name: str = derive(lambda run: f"{run.label}-{run.schedule.decay}")
    label: str = derive(lambda run: f"n{run.steps}")


def test_one_argument_is_the_run_and_two_the_run_and_the_node() -> None:
    run = compose(Run)
    assert (run.schedule.warmup, run.schedule.decay) == (10, 90)
    assert (run.schedules["a"].decay, run.schedules["b"].decay) == (90, 99)
    assert compose(Run, ["steps=200"]).schedule.decay == 180


def test_a_derived_value_is_checked_and_held_like_any_other() -> None:
    run = compose(Run)
    assert repr(run.schedule.floor) == "1.0"
    assert run.schedule == Schedule(warmup=10, decay=90, floor=1.0)


def test_derived_values_may_be_derived_from_one_another() -> None:
    assert compose(Run).name == "n100-90"
    assert compose(Run, ["label=x", "schedule.warmup=5"]).name == "x-95"


@pytest.mark.parametrize("words", [["schedule.warmup=3"], ["+schedule.warmup=3"], ["++schedule.warmup=3"]])
def test_a_value_on_the_command_line_wins(words: list[str]) -> None:
    assert (compose(Run, words).schedule.warmup, compose(Run, words).schedule.decay) == (3, 97)


def test_a_value_in_a_class_or_in_python_wins() -> None:
    class Short(Schedule):
        warmup: int = 1

    class Other(Run):
        schedule: Schedule = Short()

    assert compose(Other).schedule.decay == 99
    assert compose(Run(schedule=Schedule(decay=7))).schedule == Schedule(warmup=10, decay=7, floor=1.0)


def test_a_node_that_is_not_composed_is_its_own_run() -> None:
    class Alone(CN):
        size: int = 3
        double: int = derive(lambda run: run.size * 2)
        sum: int = derive(lambda run, alone: run.size + alone.double)

    node = Alone()
    assert (node.double, node.sum) == (6, 9)
    node.size = 5
    assert (node.double, repr(node)) == (10, "Alone(size=5)")
    node.double = 1
    assert node.sum == 6


def test_a_child_that_is_composed_keeps_its_values_outside_of_the_run() -> None:
    schedule = compose(Run, ["steps=200"]).schedule
    assert schedule.decay == 180


def test_overrides_on_top_of_a_composed_run_derive_again() -> None:
    run = compose(Run)
    assert compose(run) == run
    again = compose(run, ["steps=1000"])
    assert (again.schedule.warmup, again.label) == (100, "n1000")
    given = compose(compose(Run, ["schedule.warmup=3"]), ["steps=1000"])
    assert (given.schedule.warmup, given.schedule.decay) == (3, 997)


def test_any_callable_may_derive() -> None:
    def halved(run: Any) -> int:
        return run.size // 2

    class Node(CN):
        size: int = 4
        half: int = derive(halved)
        partial: int = derive(functools.partial(lambda run, by: run.size // by, by=4))

    assert compose(Node) == Node(size=4, half=2, partial=1)


class Circle(CN):
    a: int = derive(lambda run: run.b)
    b: int = derive(lambda run: run.c)
    c: int = derive(lambda run: run.a)


class Wrong(CN):
    steps: int = 0
    ratio: float = derive(lambda run: 1 / run.steps)
    count: int = derive(lambda run: "many")  # type: ignore
    typo: int = derive(lambda run: run.step)


class Holder(CN):
    part: Wrong = Wrong()


HERE = "defined in tests/cn/nodes/test_derived.py"
REFUSED: dict[str, tuple[Any, list[str], str]] = {
    "circle": (
        Circle,
        [],
        f"values are derived in a circle: Circle.a -> Circle.b -> Circle.c -> Circle.a\n  {HERE}:102",
    ),
    "error": (
        Wrong,
        ["count=1", "typo=1"],
        f"Wrong.ratio cannot be derived: ZeroDivisionError: division by zero\n  {HERE}:109\n  to give it: ratio=VALUE",
    ),
    "error inside": (
        Holder,
        ["part.count=1", "part.typo=1", "part.ratio=1", "~part.steps"][:2],
        f"Wrong.ratio cannot be derived: AttributeError: Holder has no attribute 'steps'\n  {HERE}:109\n"
        "  to give it: part.ratio=VALUE",
    ),
    "type": (Wrong, ["steps=1", "typo=1"], f"count is int, but it is derived as 'many'\n  {HERE}:110"),
    "type inside": (
        Holder,
        ["part.ratio=1", "part.typo=1"],
        f"part.count is int, but it is derived as 'many'\n  {HERE}:110",
    ),
    "typo": (
        Wrong,
        ["steps=1", "count=1"],
        f"Wrong.typo cannot be derived: AttributeError: Wrong has no attribute 'step'\n  {HERE}:111\n"
        "  to give it: typo=VALUE",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_derived_is_refused(case: str) -> None:
    what, words, message = REFUSED[case]
    with pytest.raises(UserError) as caught:
        compose(what, words)
    assert str(caught.value) == message
    with pytest.raises(
        UserError, match=r"circle: Circle\.a -> Circle\.b -> Circle\.c -> Circle\.a"
    ):  # nothing is left over
        compose(Circle)


def test_a_circle_is_broken_by_a_value() -> None:
    assert compose(Circle, ["c=3"]) == Circle(a=3, b=3, c=3)


def test_a_required_value_that_is_missing_is_told_by_its_own_name() -> None:
    class Node(CN):
        size: int
        double: int = derive(lambda run: run.size * 2)

    with pytest.raises(UserError, match=r"^Node\.size is required and has no value yet\n"):
        _ = Node().double  # type: ignore
    with pytest.raises(UserError, match=r"^size is required and was not given\n"):
        compose(Node)


def test_fields_may_share_what_derives_them() -> None:
    tenth: Any = derive(lambda run: run.steps // 10)

    class Shares(CN):
        steps: int = 100
        first: int = tenth
        second: int = tenth

    node = compose(Shares, ["second=1"])
    assert (node.first, node.second) == (10, 1)
