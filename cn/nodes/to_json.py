"""Convert a node to JSON values."""
# pyright: reportPrivateUsage=false
# (_derived belongs to cn; no user field may have that name)

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from cn.nodes.field_types import Child, Kind
from cn.nodes.node import CN
from cn.nodes.resolving import resolve
from cn.nodes.traversal import values

CLASS, DERIVED = "_class_", "_derived_"


def plain(node: CN, *, tagged: bool = True, known: Mapping[int, dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return the node as dicts, lists and scalars; `tagged` adds the class of each node and the names of derived
    fields.

    known: results of before, by the id of a node; they become part of the new result.
    """
    if known and id(node) in known:
        return known[id(node)]
    kinds = cast("dict[str, Kind]", resolve(type(node)))
    result: dict[str, Any] = {CLASS: f"{type(node).__module__}:{type(node).__qualname__}"} if tagged else {}
    if tagged and node._derived:
        result[DERIVED] = sorted(node._derived)
    for name, value in values(node).items():
        kind = kinds[name]
        if not isinstance(kind, Child):
            result[name] = kind.plain(value)
        elif isinstance(value, dict):
            result[name] = {
                key: plain(child, tagged=tagged, known=known) for key, child in cast("dict[str, CN]", value).items()
            }
        else:
            result[name] = None if value is None else plain(value, tagged=tagged, known=known)
    return result
