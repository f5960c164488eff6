"""The range of each hyper-parameter that optimisers share, by its name."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, cast

RANGES: dict[str, tuple[float, float, float]] = {  # at least, below, usual
    "lr": (0, inf, 0.001),
    "adam_lr": (0, inf, 0.0003),
    "momentum": (0, 1, 0.9),
    "betas[0]": (0, 1, 0.9),
    "betas[1]": (0, 1, 0.999),
    "eps": (0, inf, 1e-8),
    "weight_decay": (0, inf, 0.01),
    "iterations": (1, inf, 5),
}


def check_ranges(values: Mapping[str, Any]) -> None:
    """Raises ValueError for the first of `values` that lies outside the range of its name."""
    for name, value in values.items():
        if isinstance(value, tuple):
            pair = cast("tuple[Any, ...]", value)
            check_ranges({f"{name}[{i}]": part for i, part in enumerate(pair)})
        elif name in RANGES:
            low, high, usual = RANGES[name]
            if not low <= value < high:
                advice = f"did you mean {-value}?" if low <= -value < high else f"{usual} is usual"
                raise ValueError(f"{name}={value} is outside [{low}, {high}): {advice}")
