"""The length of a part of a schedule: an int counts optimiser steps, a float is a share of all."""

from __future__ import annotations

from cn import UserError


def in_steps(name: str, length: int | float, steps: int, *, times: int = 1) -> int:
    """Return the length in steps; UserError if `times` as many do not fit into a run of `steps`."""
    count = length if isinstance(length, int) else min(round(length * steps), steps // times)
    if count * times > steps:
        raise UserError(
            f"{name}={length} of the schedule does not fit in a run of {steps} steps: give at most "
            f"{steps // times}, or a share of all steps, as in schedule.{name}=0.05"
        )
    return count
