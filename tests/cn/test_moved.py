"""Fields that moved to a node below: old records load, and name the same trial."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import ClassVar

import pytest

import cn
from cn import CN, derive
from cn.moved import moved, unmoved
from cn.record import RecordWarning, plain, unplain


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


def test_an_old_record_is_read_as_one_of_now():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecordWarning)
        node = unplain(record(smoothing=0.25, steps=20))
    assert node == cn.compose(Run, ["task.smoothing=0.25", "steps=20"])


def test_a_new_record_is_read_as_it_is():
    whole = plain(cn.compose(Run, ["task.smoothing=0.5"]))
    assert moved(Run, whole, plain) is whole


def test_a_run_that_could_be_said_before_has_its_old_record():
    assert unmoved(Run, plain(cn.compose(Run, ["task.smoothing=0.25", "steps=20"])), plain) == record(
        smoothing=0.25, steps=20
    )


def test_a_run_that_could_not_be_said_before_keeps_its_new_record():
    whole = plain(cn.compose(Run, ["task.kind=other"]))
    assert unmoved(Run, whole, plain) == whole


def test_a_derived_field_that_an_old_record_has_not_is_worked_out(tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps({**record(steps=20), "task": {"_class_": f"{__name__}:Task"}}))
    with pytest.warns(RecordWarning):
        node = cn.load(tmp_path)
    assert node.task.share == 2.0
