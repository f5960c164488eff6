"""The course of a run: which tasks and callbacks do the same at a step however long the run is."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from annotated_types import Gt, Lt

from runs._course import any_length, course
from runs.callbacks import Callback, Hooks
from runs.callbacks.ema import Ema
from runs.callbacks.profile import Profile
from runs.default import Default
from runs.task.classify import Classify
from runs.task.distil import Distil


class Slow(Ema):
    decay: Annotated[float, Gt(0), Lt(1)] = 0.9999  # of the average

    def check(self) -> None:
        """Nothing is wrong."""


class Fading(Ema):
    def build(self) -> Any:
        return super().build()


class Said(Fading):
    _any_length_ = True


class Own(Callback):
    def build(self) -> Hooks:
        return Hooks()


@pytest.mark.parametrize(
    ("cls", "known"),
    [(Ema, True), (Slow, True), (Fading, False), (Said, True), (Own, False), (Profile, False), (Classify, True)],
)
def test_what_a_base_says_does_not_cover_methods_of_a_subclass(cls: Any, known: bool) -> None:
    assert any_length(cls) is known


def test_distillation_is_the_same_at_each_step() -> None:
    assert any_length(Distil)


def test_the_reason_names_the_callback() -> None:
    told = "callbacks.mine: Fading may do other things in a run of another length (_any_length_)"
    assert course(Default(callbacks={"mine": Fading()})) == told
