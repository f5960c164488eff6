"""Which fields of an old run stay derived: those whose text the class works out to the same value.

Both are worked out with the functions of the project, so `${hydra:...}` is alike on both sides.
"""
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import Any, cast

from cn.composing.deriving import derive_absent
from cn.errors import CNError
from cn.importing.old_run.filled import Filling, Late, Lost, accepted
from cn.importing.old_run.texts import UnknownTextError
from cn.nodes.field_types import Kind, Mismatch
from cn.nodes.node import CN, put
from cn.nodes.resolving import resolve
from cn.nodes.to_json import plain
from cn.nodes.traversal import thaw, walk


def settle(run: CN, filling: Filling) -> list[Lost]:
    """Set each late field whose derived value is another; return the texts that could not be worked out."""
    unknown: dict[int, Lost] = {}
    waiting = dict(enumerate(each for each in filling.late if not each.is_node))
    changed = True
    while changed:  # what is set may change what is derived
        changed, computed = False, _derived(run)
        for number, each in list(waiting.items()):
            derived = vars(computed[id(each.node)]).get(each.name, ...)
            try:
                value = filling.texts.value(each.keys, recorded=False)
            except UnknownTextError as error:
                if derived is ...:  # the class does not work it out either, and tells why when the run is composed
                    continue
                unknown[number] = Lost(each.keys, filling.written.text(each.keys), str(error))
                continue
            if not _set(each, derived, value, filling):
                continue
            changed = True
            del waiting[number]
    for each in filling.late:
        if each.is_node and (lost := _settle_node(run, each, filling)) is not None:
            unknown[len(unknown) + len(filling.late)] = lost
    return list(unknown.values())


def _set(each: Late, derived: Any, value: Any, filling: Filling) -> bool:
    """Set a field to the value of the old run, unless that is the derived one. Return whether it was set."""
    kind = cast("dict[str, Kind]", resolve(type(each.node)))[each.name]
    try:
        taken = accepted(kind, value)
    except Mismatch:
        filling.misfit(each.node, each.name, kind, value, each.keys)
        return True
    if derived is not ... and equal(kind.plain(derived), kind.plain(taken)):
        return False
    put(each.node, each.name, taken)
    return True


def _settle_node(run: CN, each: Late, filling: Filling) -> Lost | None:
    """Let a node stay derived if the old run's is equal; return a text that cannot be worked out."""
    node, name = each.node, each.name
    if name in vars(node):
        given, old = vars(node)[name], _plain(vars(_derived(run)[id(node)])[name])
        if type(node)._fields[name].default is each.derived:
            del vars(node)[name]
        else:
            put(node, name, each.derived)
        if not equal(_plain(vars(_derived(run)[id(node)]).get(name, ...)), old):
            put(node, name, given)
        return None
    try:
        value = filling.texts.value(each.keys, recorded=False)
    except UnknownTextError as error:
        return Lost(each.keys, filling.written.text(each.keys), str(error))
    derived = vars(_derived(run)[id(node)]).get(name)
    found = None if derived is None else plain(derived, tagged=False) if isinstance(derived, CN) else derived
    if not covers(found, value):
        filling.give(node, name, value, each.keys)
    return None


def _derived(run: CN) -> dict[int, CN]:
    """Return a copy of each node in which all that can be derived is, by the id of the node."""
    copy = thaw(run)
    found = {id(node): other for (_, node), (_, other) in zip(list(walk(run)), list(walk(copy)), strict=True)}
    derive_absent(copy, CNError)
    return found


def _plain(value: Any) -> Any:
    """Return a node, or a dict of nodes, as plain values with their classes."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in cast("dict[str, Any]", value).items()}
    return {**plain(value), "_derived_": None} if isinstance(value, CN) else value


def equal(one: Any, other: Any) -> bool:
    """Return whether two plain values are equal: numbers of either type, dicts in any order, nan like nan."""
    if isinstance(one, dict) and isinstance(other, dict):
        left, right = cast("dict[Any, Any]", one), cast("dict[Any, Any]", other)
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(one, list) and isinstance(other, list):
        left, right = cast("list[Any]", one), cast("list[Any]", other)
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other) or (one != one and other != other)


def covers(one: Any, other: Any) -> bool:
    """Return whether a plain node holds all that a mapping of an old run holds; nothing is like an empty mapping."""
    if isinstance(one, dict) and isinstance(other, dict):
        left, right = cast("dict[Any, Any]", one), cast("dict[Any, Any]", other)
        return all(key in left and covers(left[key], right[key]) for key in right)
    return equal(one, other) or (_is_nothing(one) and _is_nothing(other))


def _is_nothing(value: Any) -> bool:
    return value is None or value == {}
