"""Confidence intervals of measures by resampling their examples: the bootstrap (Efron 1979)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cn.run_folder.folder import write_json

RESAMPLES = 1000
LEVEL = 0.95
SEED = 0  # fixed, so that runs draw the same examples and their differences are paired
METHOD = {"method": "percentile bootstrap", "level": LEVEL, "resamples": RESAMPLES, "seed": SEED}

Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Resampled:
    """A measure in each resample of its examples."""

    examples: str  # digest of the examples: only measures of the same examples are paired
    values: list[float]

    @property
    def interval(self) -> tuple[float, float]:
        return interval(self.values)


def resampled(
    count: int, measure: Callable[[Index], Mapping[str, float]], *, examples: Sequence[Any], resamples: int = RESAMPLES
) -> dict[str, Resampled]:
    """Compute the measures of resamples: as many examples, drawn with replacement from `count`.

    measure: returns the measures of the examples with these indices.
    examples: bytes and arrays that identify the examples.
    """
    digest = hashlib.sha256()
    for each in examples:
        digest.update(each)
    generator = np.random.default_rng(SEED)
    found = [measure(generator.integers(0, count, size=count)) for _ in range(resamples)]
    return {name: Resampled(digest.hexdigest(), [float(each[name]) for each in found]) for name in found[0]}


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the bounds of the middle 95 % of values."""
    rest = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(values, [rest, 100 - rest])
    return float(low), float(high)


def keep(folder: Path, name: str, found: Mapping[str, Resampled]) -> None:
    """Write benchmark/NAME_resamples.json, which comparisons of runs read."""
    measures: dict[str, Any] = {
        each: {"examples": own.examples, "values": own.values} for each, own in sorted(found.items())
    }
    write_json(folder / "benchmark" / f"{name}_resamples.json", {**METHOD, "measures": measures})
