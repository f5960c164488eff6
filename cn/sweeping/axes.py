"""The points of a sweep; each point sets some fields of the base run.

Values are stored in their JSON form, and nodes as records, so that equal axes compare equal however they were written.
"""

from __future__ import annotations

import enum
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Integral, Real
from pathlib import PurePath
from typing import Any, cast

from cn.composing.overrides import MOST
from cn.errors import UserError, short
from cn.nodes.node import CN
from cn.nodes.to_json import plain
from cn.sweeping.ranges import Sampler as Sampler
from cn.sweeping.ranges import integers as integers
from cn.sweeping.ranges import linear_range as linear_range
from cn.sweeping.ranges import log_range as log_range
from cn.sweeping.ranges import log_uniform as log_uniform
from cn.sweeping.ranges import place
from cn.sweeping.ranges import uniform as uniform


class Axes(CN):
    """`a * b` visits every point of one with every point of the other, `a + b` those of both."""

    points: list[dict[str, Any]] = [{}]  # field -> value; {} is the base itself

    def __mul__(self, other: Axes) -> Axes:
        theirs = {address(key): key for key in other.names()}
        for key in self.names():
            if address(key) in theirs:
                both = " and ".join(dict.fromkeys([key, theirs[address(key)]]))
                raise UserError(f"both factors of a product give {both} values", "keep it in one of them")
        _few(len(self) * len(other), "a product")
        return Axes(points=[mine | others for mine in self.points for others in other.points])

    def __add__(self, other: Axes) -> Axes:
        _few(len(self) + len(other), "a sum")
        return Axes(points=[*self.points, *other.points])

    def __len__(self) -> int:
        return len(self.points)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.points)

    def names(self) -> list[str]:
        """Return every key of any point, in the order of first appearance."""
        return list(dict.fromkeys(key for point in self.points for key in point))

    def check(self) -> None:
        if not self.points:
            raise ValueError("points is empty: [{}] is the base alone")
        _few(len(self), "points")
        check_axes(self.names())


def grid(axes: Mapping[str, Sequence[Any]]) -> Axes:
    """Every combination of the values; the first key changes slowest."""
    columns = _columns(axes, "grid")
    _few(math.prod(map(len, columns.values())), "grid(...)")
    return Axes(points=[dict(zip(columns, row, strict=True)) for row in itertools.product(*columns.values())])


def zipped(axes: Mapping[str, Sequence[Any]]) -> Axes:
    """Combine the first values of all keys, then the second values, and so on."""
    columns = _columns(axes, "zipped")
    lengths = {key: len(values) for key, values in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{key} has {length}" for key, length in lengths.items())
        what = f"zipped(...) takes as many values for each key: {told}"
        raise UserError(what, "for every combination: grid(...)")
    _few(next(iter(lengths.values())), "zipped(...)")
    return Axes(points=[dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)])


def points(each: Sequence[Mapping[str, Any]]) -> Axes:
    """Use exactly these points."""
    given = cast("Any", each)
    if not isinstance(given, (list, tuple)) or not all(isinstance(point, Mapping) for point in cast("list[Any]", each)):
        what = f"points(...) takes a list of dicts, not {short(repr(given))}"
        raise UserError(what, 'write: points([{"seed": 1}, {"seed": 2}])')
    if not each:
        raise UserError("points([]) holds no point", "for the base alone: Axes()")
    _few(len(each), "points(...)")
    for point in each:
        check_axes(point)
    return Axes(points=[{key: _value(key, value) for key, value in point.items()} for point in each])


def random(count: int, axes: Mapping[str, Sampler | Sequence[Any]], *, seed: int = 0) -> Axes:
    """Draw `count` points, independently for each key; values of a list have equal probability.

    A larger count adds points, and another key adds values: earlier draws stay the same.
    """
    if count < 1:
        raise UserError(f"random({count}, ...) draws no point", "write: random(25, ...)")
    from random import Random  # only here, since it takes long to import

    _few(count, "random(...)")
    _some(axes, "random")
    columns: dict[str, list[Any]] = {}
    for key, axis in axes.items():
        stream = Random(f"{seed}:{key}")  # seeded by SHA-512 of the text; random() is the same in every Python
        parts = [stream.random() for _ in range(count)]
        if isinstance(axis, Sampler):
            columns[key] = [axis.draw(part) for part in parts]
        else:
            values = values_of(key, axis)
            columns[key] = [values[place(part, len(values))] for part in parts]
    return Axes(points=[dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)])


def seeds(each: int | Sequence[int]) -> Axes:
    """`seeds(3)` repeats a run with the seeds 0, 1 and 2; `seeds([5, 7])` with these."""
    if isinstance(each, int):
        if each < 1 or each is True:
            raise UserError(f"seeds({each}) gives no seed", "write: seeds(3), or seeds([5, 7])")
        each = range(each)
    _few(len(each), "seeds(...)")
    values = values_of("seed", each)
    wrong = [value for value in values if type(value) is not int]
    if wrong:
        raise UserError(f"a seed is a whole number, not {short(repr(wrong[0]))}", "write: seeds([5, 7])")
    return grid({"seed": values})


def _columns(axes: Mapping[str, Sequence[Any]], name: str) -> dict[str, list[Any]]:
    _some(axes, name)
    return {key: values_of(key, values) for key, values in axes.items()}


def _some(axes: Mapping[str, Any], name: str) -> None:
    given = cast("Any", axes)
    if not isinstance(given, Mapping):
        what = f"{name}(...) takes a dict from key to values, not {short(repr(given))}"
        raise UserError(what, f'write: {name}({"25, " if name == "random" else ""}{{"seed": [1, 2]}})')
    if not axes:
        raise UserError(f"{name}(...) names no axis", "for the base alone: Axes()")
    check_axes(axes)


def check_axes(keys: Iterable[Any]) -> None:
    """UserError for a key that is not the name of a field, or is given twice."""
    seen: dict[str, str] = {}
    for key in keys:
        if not isinstance(key, str):
            raise UserError(f"an axis is named by a text, not by {short(repr(key))}", 'write: "model.depth"')
        if not re.fullmatch(r"[A-Za-z_]\w*([./]\w[\w-]*)*", key, re.ASCII):
            what = f"the axis {short(repr(key))} is not the name of a field"
            instead = "model.depth, or model/head for a node"
            if key[:1] in ("+", "~"):
                what = f"the axis {short(repr(key))} begins with {key[0]}"
                instead = short(repr(key.lstrip("+~")))
            elif "=" in key:
                name, _, value = key.partition("=")
                what = f"the axis {short(repr(key))} holds a value"
                instead = short(f'"{name}": ["{value}"]')
            raise UserError(what, f"write: {instead}")
        if address(key) in seen:
            raise UserError(f"{seen[address(key)]} and {key} are one axis", "keep one of them")
        seen[address(key)] = key


def address(key: str) -> str:
    return key.replace("/", ".")


def _few(count: int, what: str) -> None:
    if count > MOST:
        instead = "random(...) draws some of the combinations"
        raise UserError(f"{what} has {count} points, and a sweep may have {MOST}", instead)


def values_of(key: str, values: Any) -> list[Any]:
    """Return the values of an axis in their JSON form."""
    if isinstance(values, Sampler):
        _value(key, values)
    if isinstance(values, (set, frozenset)):
        what = f"the axis {key} is a set, which has no certain order"
        raise UserError(what, f'write: "{key}": sorted(...), or a list')
    if not isinstance(values, (list, tuple, range)):
        what = f"the axis {key} is {short(repr(values))}, and must be a list of values"
        several = isinstance(values, Iterable) and not isinstance(values, (str, bytes, Mapping, CN))
        raise UserError(what, f'write: "{key}": {"list(...)" if several else f"[{short(repr(values))}]"}')
    if not values:
        raise UserError(f"the axis {key} has no values", f'write: "{key}": [VALUE, ...]')
    _few(len(cast("list[Any]", values)), f"the axis {key}")
    return [_value(key, value) for value in cast("list[Any]", values)]


def _value(key: str, value: Any) -> Any:
    """Return the JSON form of a value, which a field of its type accepts."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, CN):
        return plain(value)
    if isinstance(value, enum.Enum) and value.name in type(value).__members__:
        return value.name
    if isinstance(value, (str, PurePath)):
        return str(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, (list, tuple, range)):
        return [_value(key, item) for item in cast("list[Any]", value)]
    if isinstance(value, Mapping):
        table = cast("Mapping[Any, Any]", value)
        names = [_value(key, name) for name in table]
        if all(type(name) in (str, int) for name in names):
            return {str(name): _value(key, item) for name, item in zip(names, table.values(), strict=True)}
    what = f"the axis {key} holds {short(repr(value))}, which is neither a plain value nor a node"
    if isinstance(value, Sampler):
        what = f"the axis {key} is {value.text}, from which only random and space draw"
        raise UserError(what, f'write: random(25, {{"{key}": {value.text}}})')
    if isinstance(value, type) and issubclass(value, CN):
        raise UserError(f"the axis {key} holds the class {value.__name__}", f"write: {value.__name__}()")
    raise UserError(what, "write: a number, a text, None, a list or dict of such, or a node")
