"""The course of a run: what happens at each of its steps, as far as the length of the run decides that.

A run whose class names its fields of length in `_course_`, and that has a method `course`, may share its first steps
with others. `train` then has to do two things: at each step in `job.branches`, it leaves its state with
`cn.run_folder.branches`; and if `job.past` is given, it begins from the state there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from cn.nodes.node import CN


@dataclass(frozen=True)
class Course:
    """The steps of a run. Two runs that differ in their fields of length alone are one up to where these differ."""

    rates: Sequence[float]  # of each step, such as the factor of the learning rate
    passed: bool  # whether a longer run comes through the state in which this one ends
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])  # what else must be equal, in JSON form


def fields_of_length(cls: type[CN]) -> tuple[str, ...]:
    """Return the fields that `course` covers; none if runs of this class share nothing."""
    return getattr(cls, "_course_", ())


def course_of(run: CN) -> Course | str:
    """Return the course of a run, or why none can be told in advance."""
    if not fields_of_length(type(run)):
        return f"{type(run).__name__} does not say in _course_ which fields decide its length"
    return cast("Any", run).course()
