"""What was set and not read, and that looking at it changes nothing for anyone."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest

import cn
import cn.nodes.read_tracking
from cn import CN, derive, instantiate
from cn.nodes.read_tracking import Reading
from cn.nodes.to_json import plain
from cn.writing.command_line import words
from cn.writing.python import as_python
from cn.writing.record import dump


class Leaf(CN):
    size: int = 1
    rate: float = 0.5
    names: list[str] = ["a"]

    @property
    def doubled(self) -> int:
        return 2 * self.size

    def build(self) -> int:
        return self.size


class Wide(Leaf):
    size: int = 10

    def build(self) -> int:
        return super().build() + 1


class Tree(CN):
    left: Leaf = Leaf()
    right: Leaf | None = None
    more: dict[str, Leaf] = {}
    steps: int = 3
    half: int = derive(lambda run: run.steps // 2)


class Built(CN):
    _target_: str = "builtins.dict"
    a: int = 1
    b: int = 2
    leaf: Leaf = Leaf()


def left(reading: Reading) -> list[str]:
    return [each.address for each in reading.unread()]


@pytest.fixture(autouse=True)
def _nothing_stays() -> Any:
    yield
    stayed = list(cn.nodes.read_tracking._open)
    for each in stayed:
        each.close()
    assert "__getattribute__" not in vars(CN)
    assert stayed == []


def test_what_differs_from_the_default_of_its_class_is_set():
    run = cn.compose(Tree(left=Wide(), right=Leaf(rate=0.1)), ["left.size=11"])
    reading = Reading(run)
    assert left(reading) == ["left", "right"]
    assert [run.left.doubled, type(run.right)] == [22, Leaf]
    assert left(reading) == ["right.rate"]
    assert run.right is not None
    assert run.right.rate == 0.1
    assert left(reading) == []


def test_with_nothing_left_nothing_is_looked_at_any_more():
    run = Tree(steps=5)
    reading = Reading(run)
    assert "__getattribute__" in vars(CN)
    assert run.steps == 5
    assert "__getattribute__" not in vars(CN)
    assert left(reading) == []
    Reading(Tree())
    assert "__getattribute__" not in vars(CN)


def test_what_was_named_counts_though_it_is_the_default_and_some_do_not_matter():
    reading = Reading(Tree(left=Leaf(size=2), right=Leaf()), named={"steps", "left.rate"}, without={"right"})
    assert left(reading) == ["steps", "left.size", "left.rate"]
    reading.close()


def test_a_node_that_is_not_read_is_named_without_what_is_in_it():
    reading = Reading(Tree(right=Leaf(size=4), more={"x": Leaf(size=5)}))
    assert left(reading) == ["right", "more"]
    reading.close()


def test_derived_values_are_nobodys_and_given_ones_are_somebodys():
    for words_, found in (([], []), (["half=7"], ["half"])):
        reading = Reading(cn.compose(Tree, words_))
        assert left(reading) == found
        reading.close()


@pytest.mark.parametrize(
    "look",
    [
        plain,
        repr,
        as_python,
        words,
        lambda run: run == Tree(left=Leaf(size=2)),
        lambda run: json.dumps(plain(run)),
        lambda run: list(cn.nodes.traversal.walk(run)),
        lambda run: dump(run, Path()),
        lambda run: isinstance(run, Tree) and hasattr(run, "check") and run.__class__,
    ],
    ids=["plain", "repr", "python", "words", "==", "json", "walk", "dump", "class"],
)
def test_writing_down_and_comparing_is_not_reading(look, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reading = Reading(run := Tree(left=Leaf(size=2, names=["b"]), steps=9))
    look(run)
    assert left(reading) == ["steps", "left.size", "left.names"]
    reading.close()


READS = {
    "attribute": lambda leaf: leaf.size,
    "getattr": lambda leaf: getattr(leaf, "size"),  # noqa: B009
    "method": lambda leaf: leaf.build(),
    "property": lambda leaf: leaf.doubled,
    "vars": lambda leaf: vars(leaf)["size"],
    "dict": lambda leaf: {**leaf.__dict__},
    "asdict": dataclasses.asdict,
    "replace": lambda leaf: dataclasses.replace(leaf, rate=0.25).size,
    "__replace__": lambda leaf: leaf.__replace__(rate=0.25).size,
    "copy": lambda leaf: copy.copy(leaf).size,
    "deepcopy": lambda leaf: copy.deepcopy(leaf).size,
    "pickle": lambda leaf: pickle.loads(pickle.dumps(leaf)).size,
    "pickle 0": lambda leaf: pickle.loads(pickle.dumps(leaf, 0)).size,
    "composed on": lambda leaf: cn.compose(leaf, ["rate=0.25"]).size,
    "values": lambda leaf: cn.nodes.traversal.values(leaf)["size"],
}


@pytest.mark.parametrize("how", READS)
@pytest.mark.parametrize("cls", [Leaf, Wide])
def test_each_way_to_read_counts(how, cls):
    run = Tree(right=cls(size=4))
    reading = Reading(run)
    plainly = READS[how](cls(size=4))
    assert left(reading) == ["right"]
    assert READS[how](run.right) == plainly
    assert left(reading) == []


def test_a_match_statement_reads():
    reading = Reading(run := Tree(steps=4))
    match run:
        case Tree(steps=4):
            pass
        case _:
            raise AssertionError
    assert left(reading) == []


def test_building_a_target_reads_its_fields_and_no_other_nodes():
    node = Built(a=3, b=4, leaf=Leaf(size=7))
    reading = Reading(node)
    made = instantiate(node)
    assert made == {"a": 3, "b": 4, "leaf": node.leaf}
    assert left(reading) == ["leaf.size"]
    reading.close()


def test_a_node_at_two_addresses_is_one():
    leaf = Leaf(size=8)
    run = Tree(left=leaf, more={"again": leaf})
    reading = Reading(run)
    assert left(reading) == ["more", "left.size"]
    assert run.more["again"].size == 8
    assert left(reading) == []


def test_another_node_of_the_same_values_is_another():
    run, twin = Tree(steps=4), Tree(steps=4)
    reading = Reading(run)
    assert (twin.steps, left(reading)) == (4, ["steps"])
    reading.close()


def test_classes_pickles_and_messages_are_as_before():
    run = cn.compose(Tree(left=Wide(size=3)))
    before = repr(run), type(run), type(run.left), pickle.dumps(run)
    reading = Reading(run)
    assert pickle.dumps(run) == before[3]
    reading.close()
    reading = Reading(run)
    assert (repr(run), type(run), type(run.left)) == before[:3]
    assert {Tree: 1}[type(run)] == 1
    with pytest.raises(cn.FrozenError, match=r"Tree.steps cannot be set: a composed node is frozen"):
        run.steps = 4
    with pytest.raises(AttributeError, match=r"^Tree has no attribute 'stepps'$"):
        run.stepps  # noqa: B018
    with pytest.raises(AttributeError):
        object.__getattribute__(run, "stepps")
    reading.close()


def test_an_error_in_a_property_is_that_error():
    class Odd(CN):
        size: int = 1
        other: int = 1

        @property
        def wrong(self) -> int:
            raise KeyError("mine")

        @property
        def absent(self) -> int:
            return self.nothing  # type: ignore[attr-defined]

    node = Odd(other=2)
    reading = Reading(node)
    with pytest.raises(KeyError, match="mine"):
        node.wrong  # noqa: B018
    with pytest.raises(AttributeError, match=r"^Odd has no attribute"):
        node.absent  # noqa: B018
    assert left(reading) == ["other"]
    reading.close()


def test_a_class_with_ways_of_its_own_is_let_alone():
    class Own(CN):
        size: int = 1

        def __getattribute__(self, name: str) -> Any:
            return object.__getattribute__(self, name)

    class Mixed:
        def __getattribute__(self, name: str) -> Any:
            return 7 if name == "seven" else super().__getattribute__(name)

    class Both(CN, Mixed):
        size: int = 1

    reading = Reading(Own(size=3))
    assert left(reading) == []
    reading = Reading(node := Both(size=3))
    assert (node.seven, left(reading)) == (7, ["size"])
    assert (node.size, left(reading)) == (3, [])


def test_equality_of_ones_own_is_used_and_reads():
    class Near(CN):
        size: int = 1

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Near) and abs(self.size - other.size) < 2

    reading = Reading(node := Near(size=3))
    assert node == Near(size=4)
    assert left(reading) == []


def test_two_at_once_in_two_threads_do_not_mix():
    runs = [Tree(steps=4), Tree(steps=5)]
    readings = [Reading(run) for run in runs]
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(runs[1].steps))
    thread.start()
    thread.join()
    assert (seen, [left(each) for each in readings]) == ([5], [["steps"], []])
    readings[1].close()
    assert "__getattribute__" in vars(CN)
    assert runs[0].steps == 4
    readings[0].close()


@pytest.mark.slow
def test_many_threads_read_while_others_open_and_close():
    wrong: list[Any] = []

    def work(number: int) -> None:
        for round_ in range(60):
            run = Tree(steps=number + 10, left=Leaf(size=round_ + 2))
            reading = Reading(run)
            try:
                for _ in range(5):
                    if run.steps != number + 10 or left(reading) != ["left.size"]:
                        wrong.append((number, round_, left(reading)))
            finally:
                reading.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []


@pytest.mark.slow
def test_what_is_forked_may_read_it():
    reading = Reading(run := Tree(steps=4))
    child = os.fork()
    if child == 0:
        os._exit(run.steps)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 4
    assert left(reading) == []


def test_closing_twice_and_out_of_order_is_fine():
    first, second = Reading(Tree(steps=4)), Reading(Tree(steps=5))
    first.close()
    first.close()
    assert "__getattribute__" in vars(CN)
    second.close()


def test_what_a_target_gets_is_read_in_nodes_below_too() -> None:
    class Inner(CN):
        size: int = 1

    class Middle(CN):
        _target_: str = "builtins.dict"
        length: int = 2
        inner: Inner = Inner()

    class Whole(CN):
        _target_: str = "builtins.dict"
        _convert_: str = "all"
        middle: Middle = Middle()

    run = cn.compose(Whole, ["middle.length=3", "middle.inner.size=3"])
    reading = Reading(run)
    assert [each.address for each in reading.unread()] == ["middle.length", "middle.inner.size"]
    assert instantiate(run) == {"middle": {"length": 3, "inner": {"size": 3}}}
    assert reading.unread() == []
    reading.close()
