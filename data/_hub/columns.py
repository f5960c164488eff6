"""Columns of a table: classes, or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from cn import UserError
from cn.errors import short
from data._hub.source import Source

pc: Any = pyarrow.compute  # pyright cannot see its functions

WHOLE = "whole numbers"
BROKEN = "numbers with fractions"
TRUTH = "true and false"
TEXT = "text"
CLASSES = "classes"
MIXED = "values of several types"


def kind(feature: Any) -> str:
    """Return the content type of a column, in words."""
    if isinstance(feature, datasets.ClassLabel):
        return CLASSES
    if isinstance(feature, datasets.Image):
        return "images"
    if isinstance(feature, datasets.Json):
        return MIXED
    if not isinstance(feature, datasets.Value):
        return f"values of type {type(feature).__name__}"
    type_ = feature.dtype
    if type_.startswith(("int", "uint")):
        return WHOLE
    if type_.startswith("float"):
        return BROKEN
    return {"bool": TRUTH, "string": TEXT, "large_string": TEXT}.get(type_, f"values of type {type_}")


def classes(source: Source, target: str) -> tuple[dict[str, npt.NDArray[np.int64]], list[str]]:
    """Return the labels of each part, and the class names: those that occur in train, sorted."""
    source.require("target", target)
    feature = source.features[target]
    columns = {part: source.values(part, target) for part in source.parts}
    for part, column in columns.items():
        lacking = pc.is_null(column)
        if isinstance(feature, datasets.ClassLabel):
            lacking = pc.or_(lacking, pc.less(pc.fill_null(column, -1), 0))
        _refuse_lack(source, target, part, lacking.to_numpy(), "no class")
    if (held := kind(feature)) not in (CLASSES, WHOLE, TRUTH, TEXT):
        numbers = "to predict numbers: task=regress data=hub/numbers" if held == BROKEN else None
        what = f"data.target={short(target)}: {source.said} holds {held} there, and a class is text or a whole number"
        raise UserError(what, numbers)
    known = sorted(pc.unique(columns["train"]).to_pylist())
    names = [_name(feature, each) for each in known]
    if len(known) < 2:
        what = f"data.target={short(target)}: {source.said} has 1 class there, {short(repr(names[0]))}"
        raise UserError(what, "a classifier needs two or more")
    labels: dict[str, npt.NDArray[np.int64]] = {}
    for part, column in columns.items():
        found = pc.index_in(column, value_set=pa.array(known, column.type))
        if found.null_count:
            other = _name(feature, column.filter(pc.is_null(found))[0].as_py())
            split, train = source.splits[part], source.splits["train"]
            what = f"split {split} of {source.said} has a class {short(repr(other))}, which split {train} has not"
            raise UserError(what, f"its classes: {short(', '.join(names))}")
        labels[part] = found.to_numpy().astype(np.int64)
    return labels, names


def _name(feature: Any, value: Any) -> str:
    """Return the name of the class that is stored as this value."""
    return str(feature.int2str(value) if isinstance(feature, datasets.ClassLabel) else value)


def numeric(source: Source, *, but: Sequence[str]) -> list[str]:
    """Return the numeric columns, except those in `but`."""
    return [each for each, feature in source.features.items() if _is_numeric(feature) and each not in but]


def numbers(source: Source, field: str, names: Sequence[str]) -> dict[str, npt.NDArray[np.float64]]:
    """Return these columns of each part, side by side: `n f`."""
    for name in names:
        source.require(field, name)
        if not _is_numeric(source.features[name]):
            held = kind(source.features[name])
            what = f"data.{field}: {source.said} holds {held} in column {short(name)}, and numbers are needed"
            there = numeric(source, but=())
            told = f"its columns of numbers: {short(', '.join(there))}" if there else "it has no column of numbers"
            raise UserError(what, told)
    found: dict[str, npt.NDArray[np.float64]] = {}
    for part in source.parts:
        columns: list[npt.NDArray[np.float64]] = []
        for name in names:
            column = pc.cast(source.values(part, name), pa.float64(), safe=False).to_numpy()
            _refuse_lack(source, name, part, ~np.isfinite(column), "no finite number")
            columns.append(column)
        found[part] = np.stack(columns, axis=1)
    return found


def _is_numeric(feature: Any) -> bool:
    return kind(feature) in (WHOLE, BROKEN, TRUTH)


def _refuse_lack(source: Source, column: str, part: str, lacking: npt.NDArray[np.bool_], what: str) -> None:
    rows = np.flatnonzero(lacking)
    if len(rows):
        place = f"split {source.splits[part]} of {source.said}"
        told = f"column {short(column)} has {what} in {len(rows)} of {len(lacking)} rows of {place}"
        hold = None if part == "train" else f"to hold {part} out of train instead: data.{part}_split=null"
        raise UserError(told, f"the first of them is row {rows[0] + 1}, counted from 1", hold)
