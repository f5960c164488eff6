"""The fields of a run that do not change its result: where it is computed, stored and logged.

The `_where_` of a root node names these fields, and a subclass may name more; a root node may have none. If `_where_`
names `folder: Path | None`, that field chooses the folder of the run. All comparisons of runs use this file.
"""
# pyright: reportPrivateUsage=false

from __future__ import annotations

import functools
import re
from collections.abc import Collection
from dataclasses import MISSING
from typing import Any, cast

from cn.errors import CNError, hint, lines
from cn.nodes.derived import Derived
from cn.nodes.former import before
from cn.nodes.node import CN
from cn.nodes.resolving import kinds_of
from cn.nodes.to_json import CLASS, plain
from cn.nodes.traversal import default_of
from cn.writing.record_class import contract_of, recorded


@functools.cache
def names(cls: type[Any]) -> tuple[str, ...]:
    """Return the fields that a class and its bases name. ValueError for a name that is not a field."""
    found = tuple(dict.fromkeys(name for each in cls.__mro__ for name in vars(each).get("_where_", ())))
    for name in found:
        if name not in cls._fields:
            what = f"{cls.__name__}._where_ names {name!r}, which is no field of it"
            raise ValueError(lines(what, hint(name, cls._fields)))
    return found


def names_in(record: dict[str, Any]) -> tuple[str, ...]:
    """Return the fields for a run's record; those of its folder's contract if its class no longer exists.

    If the contract no longer exists either, return `folder` alone.
    """
    name = str(record.get(CLASS, ""))
    try:
        return names(recorded(name, "the record"))
    except CNError:
        contract = contract_of(name)
        return names(contract) if contract is not None else ("folder",)


@functools.cache
def usual(cls: type[CN]) -> dict[str, Any]:
    """Return the default of each field as in its oldest record; None for a required or a derived field."""
    kinds, found = kinds_of(cls), dict[str, Any]()
    for name in names(cls):
        value = default_of(cls._fields[name])
        if isinstance(value, CN):
            found[name] = before(value, plain(value))
        elif isinstance(value, dict):
            nodes = cast("dict[str, Any]", value)
            found[name] = {
                key: before(each, plain(each)) if isinstance(each, CN) else each for key, each in nodes.items()
            }
        else:
            found[name] = None if value is MISSING or isinstance(value, Derived) else kinds[name].plain(value)
    return found


def field_of(word: str) -> str:
    """Return the field that an override or an address begins with: `logger` of `+logger.csv.every=5`."""
    return re.split(r"[=./]", word.lstrip("+~"), maxsplit=1)[0]


def says_where(word: str, fields: Collection[str]) -> bool:
    """Return whether an override or an address belongs to one of these fields."""
    return field_of(word) in fields
