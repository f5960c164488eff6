"""Fields that moved to a node below, or were added at any depth: old records load, and name the same trial."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import ClassVar

import pytest

import cn
from cn import CN, derive
from cn.nodes.moved import moved, unmoved
from cn.nodes.to_json import plain
from cn.writing.record import RecordWarning, unplain


class Task(CN):
    smoothing: float = 0.0
    kind: str = "plain"
    share: float = derive(lambda run: run.steps / 10)


class Run(CN):
    task: Task = Task()
    steps: int = 5

    _moved_: ClassVar[dict[str, str]] = {"smoothing": "task.smoothing"}


def record(**values: object) -> dict[str, object]:
    return {"_class_": f"{__name__}:Run", **values}


def before(node: CN) -> dict[str, object]:
    return unmoved(node, plain(node), plain)


def test_an_old_record_is_read_as_one_of_now():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecordWarning)
        node = unplain(record(smoothing=0.25, steps=20))
    assert node == cn.compose(Run, ["task.smoothing=0.25", "steps=20"])


def test_a_new_record_is_read_as_it_is():
    whole = plain(cn.compose(Run, ["task.smoothing=0.5"]))
    assert moved(Run, whole, plain) is whole


def test_a_run_that_could_be_said_before_has_its_old_record():
    assert before(cn.compose(Run, ["task.smoothing=0.25", "steps=20"])) == record(smoothing=0.25, steps=20)


def test_a_run_that_could_not_be_said_before_keeps_its_new_record():
    node = cn.compose(Run, ["task.kind=other"])
    assert before(node) == plain(node)


def test_a_derived_field_that_an_old_record_has_not_is_worked_out(tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps({**record(steps=20), "task": {"_class_": f"{__name__}:Task"}}))
    with pytest.warns(RecordWarning):
        node = cn.load(tmp_path)
    assert node.task.share == 2.0


class Part(CN):
    size: int = 3
    extra: float = 0.0

    _added_: ClassVar[tuple[str, ...]] = ("extra",)


class Large(Part):
    size: int = 30
    more: int = 1

    _added_: ClassVar[tuple[str, ...]] = ("more",)


class Holder(CN):
    part: Part = Large()


class Whole(CN):
    part: Part = Part()
    absent: Part | None = None
    parts: dict[str, Part] = {"a": Part(size=1), "b": Large()}
    holder: Holder = Holder()

    _moved_: ClassVar[dict[str, str]] = {"size": "part.size"}


def old(name: str, **values: object) -> dict[str, object]:
    return {"_class_": f"{__name__}:{name}", **values}


OLD = old(
    "Whole",
    size=3,
    absent=None,
    parts={"a": old("Part", size=1), "b": old("Large", size=30)},
    holder=old("Holder", part=old("Large", size=30)),
)


def test_fields_added_to_nodes_at_any_depth_are_left_out_at_their_defaults():
    assert before(cn.compose(Whole)) == OLD


@pytest.mark.parametrize("word", ["part.extra=0.5", "parts.b.more=2", "parts.a.extra=0.5", "holder.part.extra=0.5"])
def test_an_added_field_with_another_value_is_in_the_record(word: str):
    found, value = str(before(cn.compose(Whole, [word]))), word.partition("=")[2]
    assert found.count("extra") + found.count("more") == 1
    assert f": {value}" in found


def test_a_record_older_than_fields_of_its_nodes_is_read_without_a_warning():
    """The warning would be an error here."""
    assert unplain({**OLD}) == cn.compose(Whole)
