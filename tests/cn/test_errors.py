"""One shape for all messages: what, where, the nearest right thing, the next step; one exit status for each kind."""

from __future__ import annotations

import pickle

import pytest

from cn import CNError, DefinitionError, FrozenError, MissingValueError, RunError, UserError
from cn.discovery.discover import NoDefaultError, NoOptionError
from cn.errors import hint, lines, nearest, short


def test_each_error_is_also_the_builtin_that_it_refines() -> None:
    assert issubclass(UserError, ValueError)
    assert issubclass(DefinitionError, TypeError)
    assert issubclass(MissingValueError, AttributeError)
    assert issubclass(FrozenError, AttributeError)
    assert issubclass(RunError, RuntimeError)
    every = [UserError, DefinitionError, MissingValueError, FrozenError, RunError, NoOptionError, NoDefaultError]
    assert all(issubclass(error, CNError) for error in every)


def test_a_mistake_exits_with_2_and_a_run_that_failed_with_1() -> None:
    assert [error.status for error in (UserError, DefinitionError, NoOptionError, MissingValueError)] == [2] * 4
    assert [error.status for error in (CNError, RunError, FrozenError)] == [1] * 3


def test_errors_can_be_sent_to_another_process() -> None:
    for error in (UserError, DefinitionError, RunError, NoOptionError):
        again = pickle.loads(pickle.dumps(error("it\n  so")))
        assert (type(again), str(again)) == (error, "it\n  so")


def test_lines_leave_out_what_is_not_there_and_stop_at_six() -> None:
    assert lines("what", None, "", "where") == "what\n  where"
    assert lines("0", *"123456789").split("\n") == ["0", "  1", "  2", "  3", "  4", "  5"]


@pytest.mark.parametrize(
    ("word", "words", "found"),
    [
        ("dimm", ["dim", "depth", "heads"], ["dim"]),
        ("small", ["vit", "vit/small", "cnn/small"], ["vit/small", "cnn/small"]),
        ("ViT", ["vit", "mlp"], ["vit"]),
        ("lr", ["optim.lr", "seed"], ["optim.lr"]),
        ("batch", ["batch_size", "bad", "seed"], ["batch_size"]),
        ("zzz", ["a", "b"], []),
        ("", ["a", "b"], []),
        ("x", [], []),
    ],
)
def test_the_nearest_is_alike_in_spelling_or_in_its_last_part(word: str, words: list[str], found: list[str]) -> None:
    assert nearest(word, words) == found


def test_a_hint_lists_the_choices_where_nothing_is_near() -> None:
    assert hint("dimm", ["dim"]) == "nearest: dim"
    assert hint("x", ["b", "a", "a"]) == "choose from: a, b"
    assert hint("x", []) == "there is nothing to choose from"
    assert hint("q", map(str, range(10))) == "choose from: 0, 1, 2, 3, 4, 5, 6, 7, ... (10 in all)"


def test_what_was_typed_is_shown_on_one_line_and_cut() -> None:
    assert short("a=1") == "a=1"
    assert short("a\nb\t'") == "a\\nb\\t'"
    assert short("ü\ud800") == "ü\\ud800"
    assert len(short("x" * 10_000)) == 185


def test_an_error_is_made_of_lines_of_another_error_or_of_nothing() -> None:
    error = UserError("what is wrong", None, "where", "")
    for each in (error, pickle.loads(pickle.dumps(error))):
        assert str(each) == "what is wrong\n  where"
    assert str(RunError(ValueError("x"))) == "x"
    assert str(RunError()) == ""
