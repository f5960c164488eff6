"""Composing what is there already: required values and what needs them may stay open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import cn
from cn import CN, MissingValueError, UserError, derive
from cn.errors import UnfinishedError
from cn.nodes.to_json import plain
from cn.writing.python import as_python


class Part(CN):
    size: int
    twice: int = derive(lambda run, part: part.size * 2)
    whole: float = derive(lambda run: run.rate * run.part.twice)
    name: str = "part"

    def check(self) -> None:
        if self.size < 0:
            raise ValueError("size is below 0")


class Whole(CN):
    rate: float
    part: Part = Part()  # pyright: ignore[reportCallIssue]
    other: Part | None = None


def test_required_values_and_what_is_derived_from_them_stay_open() -> None:
    node = cn.compose(Whole, ["rate=0.5"], partial=True)
    assert plain(node, tagged=False) == {"rate": 0.5, "part": {"name": "part"}, "other": None}
    assert as_python(node).endswith(
        'run = Whole(rate=0.5, part=Part(size=..., twice=..., whole=..., name="part"), other=None)\n'
    )
    with pytest.raises(MissingValueError, match=r"^Part\.size is required and has no value yet"):
        _ = node.part.size


def test_what_can_be_derived_is_derived() -> None:
    node = cn.compose(Whole, ["part.size=3"], partial=True)
    assert plain(node.part, tagged=False) == {"size": 3, "twice": 6, "name": "part"}
    assert vars(cn.compose(Whole, ["part.size=3", "rate=2"], partial=True).part)["whole"] == 12.0


def test_it_is_the_whole_node_if_nothing_is_missing() -> None:
    words = ["rate=0.5", "part.size=3"]
    assert cn.compose(Whole, words, partial=True) == cn.compose(Whole, words)


def test_a_check_that_can_be_made_is_made_and_the_node_is_frozen() -> None:
    with pytest.raises(UserError, match="size is below 0"):
        cn.compose(Whole, ["part.size=-1"], partial=True)
    with pytest.raises(cn.FrozenError):
        cn.compose(Whole, partial=True).rate = 1.0


def test_without_it_the_first_that_is_missing_is_named() -> None:
    with pytest.raises(UserError, match=r"^rate is required and was not given"):
        cn.compose(Whole)
    with pytest.raises(UnfinishedError):
        _ = Whole(rate=1.0).part.twice


def test_the_command_line_prints_dots(program: Callable[..., Any], tree: Any) -> None:
    file = tree / "models/mlp.py"
    file.write_text(file.read_text() + "    must: int  # be given\n")
    done = program("model=mlp", "--cfg", "job")
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "model.must is required and was not given")
    done = program("model=mlp", "--cfg", "job", "--partial", "--package", "model")
    assert (done.returncode, done.stderr) == (0, "")
    assert "must=..." in done.stdout


def test_it_belongs_to_cfg_job(program: Callable[..., Any]) -> None:
    done = program("--partial")
    told = "--partial says what --cfg job may leave open\n  write: python train.py --cfg job --partial\n"
    assert (done.returncode, done.stderr) == (2, told)
