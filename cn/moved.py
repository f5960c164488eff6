"""Fields that moved to a node below, or were added: a class says which (`_moved_`, `_added_`), so that old records stay
good, and name what they named.

An added field's default, in the class that added it, is what was done before there was the field. Any node may say
`_added_`, at whatever depth of a run it stands.
"""
# pyright: reportPrivateUsage=false
# (_fields belongs to cn, and has a name that no field may have)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING
from typing import Any, cast

from cn.kinds import Child, Kind
from cn.node import CN, resolve, values

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


def unmoved(node: CN, record: Record, plain: Plain) -> Record:
    """The record of a node as it was before fields were added and moved, where it could be said so; `record` is of now.

    Added fields have their defaults then, and the node that others moved to is otherwise its class's default.

    It names what a run computes as its old records do.
    """
    cls = cast("Any", type(node))
    found = _without_added(node, record)
    for child in {child for child, _ in _places(cls).values()}:
        gone = {name: field for name, (home, field) in _places(cls).items() if home == child}
        default = _default(cls, child)
        now, default = _given(found[child]), _given(_without_added(default, plain(default)))
        rest, usual = ({k: v for k, v in each.items() if k not in gone.values()} for each in (now, default))
        if rest == usual:
            del found[child]
            found |= {name: now[field] for name, field in gone.items()}
    return found


def _without_added(node: CN, record: Record) -> Record:
    """The record of a node, of which it and the nodes in it leave out each added field that has its default."""
    new, kinds = added(type(node)), cast("dict[str, Kind]", resolve(type(node)))
    found = {name: value for name, value in record.items() if name not in new or value != new[name]}
    for name, child in values(node).items():
        kind = kinds[name]
        if name not in found or not isinstance(kind, Child):
            continue
        if isinstance(child, dict):
            nodes = cast("dict[str, CN]", child)
            found[name] = {key: _without_added(each, found[name][key]) for key, each in nodes.items()}
        elif child is not None:
            found[name] = _without_added(child, found[name])
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
