"""The metrics of validations that are known before the first step."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runs._training.state import Training


def known(training: Training) -> tuple[str, ...] | None:
    """Return the names of the metrics that validations measure; None if a callback adds others."""
    return None if any(each.adds for each in training.hooks.values()) else tuple(training.measured)
