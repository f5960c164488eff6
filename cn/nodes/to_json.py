"""Convert a node to JSON values."""
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from cn.nodes.field_types import Child, untagged
from cn.nodes.node import CN
from cn.nodes.resolving import kinds_of
from cn.nodes.traversal import NodeType, values

CLASS, DERIVED = "_class_", "_derived_"
Record = dict[str, Any]


def plain(node: CN, *, tagged: bool = True, known: Mapping[int, dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return the node as dicts, lists and scalars; `tagged` adds the class of each node, the names of derived
    fields, and which member of a union has a value.

    known: results of before, by the id of a node; they become part of the new result.
    """
    if known and id(node) in known:
        return known[id(node)]
    kinds, keys = kinds_of(node), cast("NodeType", type(node))._keys
    result: dict[str, Any] = {CLASS: f"{type(node).__module__}:{type(node).__qualname__}"} if tagged else {}
    if tagged and node._derived:
        result[DERIVED] = sorted(keys.get(name, name) for name in node._derived)
    for field, value in values(node).items():
        kind, name = kinds[field], keys.get(field, field)
        if not isinstance(kind, Child):
            result[name] = kind.plain(value) if tagged else untagged(kind.plain(value))
        elif isinstance(value, dict):
            result[name] = {
                key: plain(child, tagged=tagged, known=known) for key, child in cast("dict[str, CN]", value).items()
            }
        else:
            result[name] = None if value is None else plain(value, tagged=tagged, known=known)
    return result


def renamed(record: Record, names: Mapping[str, str]) -> Record:
    """Return the record of a node with other names for some of its fields."""
    if not names:
        return record
    found = {names.get(name, name): value for name, value in record.items()}
    if DERIVED in found:
        found[DERIVED] = sorted(names.get(name, name) for name in cast("list[str]", found[DERIVED]))
    return found
