"""Fields that moved to a node below, or were added: a class says which (`_moved_`, `_added_`), so that old records stay
good, and name what they named.

An added field's default, in the class that added it, is what was done before there was the field.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING
from typing import Any, cast

Record = dict[str, Any]
Plain = Callable[[Any], Record]  # from a node to its record: cn.record.plain, which itself needs this file


def moved(cls: Any, record: Record, plain: Plain) -> Record:
    """A record of a class with each field that has moved where it is now."""
    old = {name: place for name, place in _places(cls).items() if name in record}
    if not old:
        return record
    found = {name: value for name, value in record.items() if name not in old}
    for name, (child, field) in old.items():
        found[child] = {**cast("Record", found.get(child) or plain(_default(cls, child))), field: record[name]}
    return found


def unmoved(cls: Any, record: Record, plain: Plain) -> Record:
    """A record as it was before fields were added and moved, where it could be said so.

    Added fields have their defaults then, and the node that others moved to is otherwise its class's default.

    It names what a run computes as its old records do.
    """
    found = {name: value for name, value in record.items() if name not in (new := added(cls)) or value != new[name]}
    for child in {child for child, _ in _places(cls).values()}:
        gone = {name: field for name, (home, field) in _places(cls).items() if home == child}
        now, default = (_given(each) for each in (cast("Record", record[child]), plain(_default(cls, child))))
        rest, usual = ({k: v for k, v in each.items() if k not in gone.values()} for each in (now, default))
        if rest == usual:
            del found[child]
            found |= {name: now[field] for name, field in gone.items()}
    return found


def added(cls: Any) -> dict[str, Any]:
    """The fields that were added to a class or its bases, with their defaults there, which a record has as they are."""
    found: dict[str, Any] = {}
    for each in cls.__mro__:
        for name in cast("dict[str, tuple[str, ...]]", vars(each)).get("_added_", ()):
            field = each._fields[name]
            found[name] = field.default if field.default_factory is MISSING else field.default_factory()
    return found


def _places(cls: Any) -> dict[str, tuple[str, str]]:
    """Where each field is now: the node's attribute and the field in it."""
    return {name: cast("Any", tuple(place.split("."))) for name, place in getattr(cls, "_moved_", {}).items()}


def _default(cls: Any, child: str) -> Any:
    return cls._fields[child].default_factory()


def _given(record: Record) -> Record:
    """Without what follows from the rest of the run."""
    derived = record.get("_derived_", [])
    return {name: value for name, value in record.items() if name != "_derived_" and name not in derived}
