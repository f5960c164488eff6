"""The length of a part of a schedule: an int counts optimiser steps, a float is a share of all."""

from __future__ import annotations

from math import isfinite

from cn import UserError


def check_length(name: str, length: int | float) -> None:
    """Raises ValueError for a length that no run could have."""
    if isinstance(length, int):
        if length < 0:
            raise ValueError(f"{name}={length} steps is fewer than none: did you mean {-length}?")
        return
    if 0 <= length < 1:
        return
    if isfinite(length) and length >= 1:
        advice = f"for {round(length)} steps write the int {name}={round(length)}"
    elif -1 < length < 0:
        advice = f"did you mean {-length}?"
    else:
        advice = "0.05 is usual"
    raise ValueError(f"{name}={length} is a share of all steps and lies outside [0, 1): {advice}")


def check_share(name: str, share: float, *, usual: float) -> None:
    """Raises ValueError for a factor that is no share of the base rate."""
    if not 0 <= share <= 1:
        advice = f"did you mean {-share}?" if 0 < -share <= 1 else f"{usual} is usual"
        raise ValueError(f"{name}={share} is a share of the base rate and lies outside [0, 1]: {advice}")


def in_steps(name: str, length: int | float, steps: int, *, times: int = 1) -> int:
    """The length in steps; a UserError if `times` as many do not fit in a run of `steps`."""
    count = length if isinstance(length, int) else min(round(length * steps), steps // times)
    if count * times > steps:
        raise UserError(
            f"{name}={length} of the schedule does not fit in a run of {steps} steps: give at most "
            f"{steps // times}, or a share of all steps, as in schedule.{name}=0.05"
        )
    return count
