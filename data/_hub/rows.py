"""Rows of numbers of a table, in memory: features, with classes or numbers to predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from cn import UserError
from cn.errors import short
from data import _table
from data._dataset import Dataset
from data._hub.columns import classes, numbers, numeric
from data._hub.source import Source
from data._split import parted

PARTS = ("train", "validation", "test")


def classified(
    source: Source, *, features: Sequence[str], target: str, validation: float, test: float, seed: int
) -> Dataset:
    """Return the data set of rows with classes; held-out parts have the classes in proportion."""
    labels, names = classes(source, target)
    table = _features(source, features, [target])
    parts = _places(labels, validation=validation, test=test, seed=seed)
    return _table.classified(_together(table), _together(labels), parts, classes=names)


def measured(
    source: Source, *, features: Sequence[str], targets: Sequence[str], validation: float, test: float, seed: int
) -> Dataset:
    """Return the data set of rows with numbers to predict."""
    values = numbers(source, "target", targets)
    table = _features(source, features, targets)
    alike = {part: np.zeros(len(each), np.int64) for part, each in values.items()}
    parts = _places(alike, validation=validation, test=test, seed=seed)
    return _table.measured(_together(table), _together(values), parts, targets=targets)


def _features(source: Source, names: Sequence[str], targets: Sequence[str]) -> dict[str, npt.NDArray[np.float64]]:
    if both := [each for each in names if each in targets]:
        raise UserError(f"data.features: column {short(both[0])} is the target too, and would give the answer away")
    chosen = names or numeric(source, but=targets)
    if not chosen:
        what = f"{source.said} has no column of numbers besides the target {short(', '.join(targets))}"
        raise UserError(what, f"its columns: {short(', '.join(source.features))}")
    return numbers(source, "features", chosen)


def _places(
    labels: Mapping[str, npt.NDArray[np.int64]], *, validation: float, test: float, seed: int
) -> list[npt.NDArray[np.int64]]:
    """Return the indices of train, validation and test in the concatenated table."""
    parts = parted(labels, validation=validation, test=test, seed=seed, noun="rows")
    begins = dict(zip(labels, accumulate(map(len, labels.values()), initial=0), strict=False))
    return [begins[own] + index for own, index in (parts[part] for part in PARTS)]


def _together(parts: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return np.concatenate(list(parts.values()))
