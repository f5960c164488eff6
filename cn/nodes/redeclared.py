"""A field that a subclass declares anew keeps its type or narrows it, since code for the base class reads it too."""

from __future__ import annotations

from typing import Any

from cn.nodes.containers import Items, Row, Table
from cn.nodes.field_types import SCALARS, Anything, Child, Either, Kind, Member, Mismatch, OneOf, same
from cn.nodes.ranges import bare


def narrows(own: Kind, base: Kind) -> bool:
    """Return whether each value of the type `own` is a value of `base`.

    Ranges do not count: a subclass may give its own. A node may become optional: `check` of the base refuses null.
    """
    own, base = bare(own), bare(base)
    if own == base or isinstance(base, Anything):
        return True
    if isinstance(own, Either):
        return all(narrows(member, base) for member in own.members)
    if isinstance(own, OneOf):
        return all(_takes(base, value) for value in own.values)
    if isinstance(own, Member):
        return all(_takes(base, value) for value in own.type)
    if isinstance(base, Either):
        return any(narrows(own, member) for member in base.members)
    if isinstance(base, Child):
        if not isinstance(own, Child):
            return base.optional and own == SCALARS[None]
        return own.many is base.many and all(issubclass(each, base.types) for each in own.types)
    if isinstance(base, Items):
        if isinstance(own, Row):
            return base.type is tuple and all(narrows(item, base.item) for item in own.items)
        return isinstance(own, Items) and own.type is base.type and narrows(own.item, base.item)
    if isinstance(base, Row):
        return isinstance(own, Row) and len(own.items) == len(base.items) and all(map(narrows, own.items, base.items))
    if isinstance(base, Table):
        return isinstance(own, Table) and narrows(own.key, base.key) and narrows(own.value, base.value)
    return own == SCALARS[int] and base == SCALARS[float]


def _takes(base: Kind, value: Any) -> bool:
    """Return whether a type has this value as it is, or as the float of an int."""
    try:
        taken = base.accept(value)
    except Mismatch:
        return False
    return same(taken, value) or (type(value) is int and type(taken) is float)
