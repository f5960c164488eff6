"""Fields that moved into a child node or were added; `_moved_` and `_added_` of a class list them, so that old records
still load and keep their hash.

The default of an added field, in the class that added it, is the behaviour before the field existed. Any node at any
depth of a run may have `_added_`.
"""
# pyright: reportPrivateUsage=false
# (_fields belongs to cn; no user field may have that name)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING
from typing import Any, cast

from cn.nodes.field_types import Child, Kind
from cn.nodes.node import CN
from cn.nodes.resolving import resolve
from cn.nodes.traversal import values

Record = dict[str, Any]
Plain = Callable[[Any], Record]  # converts a node to its record: cn.nodes.to_json.plain


def moved(cls: Any, record: Record, plain: Plain) -> Record:
    """Return the record of a class with every moved field at its new place."""
    old = {name: place for name, place in _places(cls).items() if name in record}
    if not old:
        return record
    found = {name: value for name, value in record.items() if name not in old}
    for name, (child, field) in old.items():
        found[child] = {**cast("Record", found.get(child) or plain(_default(cls, child))), field: record[name]}
    return found


def unmoved(node: CN, record: Record, plain: Plain) -> Record:
    """Return the record of a node in its old form, before fields were added and moved, if the old form can express it.

    In the old form, added fields have their defaults, and the child node that received moved fields is the class's
    default otherwise. The old form gives a run the same hash as its old records.
    """
    cls = cast("Any", type(node))
    found = _without_added(node, record)
    for child in {child for child, _ in _places(cls).values()}:
        gone = {name: field for name, (home, field) in _places(cls).items() if home == child}
        default = _default(cls, child)
        now, default = _given(found[child]), _given(_without_added(default, plain(default)))
        rest, usual = ({k: v for k, v in each.items() if k not in gone.values()} for each in (now, default))
        if rest == usual and all(field in now for field in gone.values()):  # another option may lack the field
            del found[child]
            found |= {name: now[field] for name, field in gone.items()}
    return found


def _without_added(node: CN, record: Record) -> Record:
    """Return the record of a node without the added fields that have their defaults, recursively."""
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
    """Return the fields that were added to a class or its bases, with the defaults in their JSON form."""
    found: dict[str, Any] = {}
    for each in cls.__mro__:
        for name in cast("dict[str, tuple[str, ...]]", vars(each)).get("_added_", ()):
            field = each._fields[name]
            found[name] = field.default if field.default_factory is MISSING else field.default_factory()
    return found


def _places(cls: Any) -> dict[str, tuple[str, str]]:
    """Map each moved field to its new place: the child node's attribute and the field there."""
    return {name: cast("Any", tuple(place.split("."))) for name, place in getattr(cls, "_moved_", {}).items()}


def _default(cls: Any, child: str) -> Any:
    return cls._fields[child].default_factory()


def _given(record: Record) -> Record:
    """Return the record without derived values."""
    derived = record.get("_derived_", [])
    return {name: value for name, value in record.items() if name != "_derived_" and name not in derived}
