"""The values of a node, its children, and the nodes below it."""
# pyright: reportPrivateUsage=false

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Container, Iterator
from dataclasses import MISSING, Field
from typing import TYPE_CHECKING, Any, NoReturn, cast

from cn.errors import DefinitionError
from cn.nodes.field_types import like, same

if TYPE_CHECKING:
    from cn.nodes.field_types import Kind
    from cn.nodes.node import CN
    from cn.nodes.notes import Note


class NodeType(ABCMeta):
    """The type of node classes, by which a node is told from other values; `CNMeta` is all that inherits from it."""

    if TYPE_CHECKING:
        _scope: dict[str, Any]  # the names around a class that is defined in a function
        _kinds: dict[str, Kind] | None  # None until each annotation can be resolved
        _nodes: tuple[str, ...] | None  # the fields that hold nodes, once they are resolved
        _keys: dict[str, str]  # fields whose key is not their name, once they are resolved: Key
        _notes: dict[str, tuple[Note, ...]]  # by field, once they are resolved: Was, Neutral, Key
        _noted: dict[str, tuple[Note, ...]]  # of these, what the class itself notes
        _fields: dict[str, Field[Any]]

    # A node has only the classes that it inherits from. ABCMeta would ask each subclass about every new type of value.
    __instancecheck__ = type.__instancecheck__
    __subclasscheck__ = type.__subclasscheck__

    def register(cls, subclass: type) -> NoReturn:
        """Refuse a virtual subclass, which would have neither fields nor a key."""
        what = f"{subclass.__name__} cannot be registered as a {cls.__name__}"
        raise DefinitionError(what, f"write: class {subclass.__name__}({cls.__name__})")


def values(node: CN) -> dict[str, Any]:
    """Return the fields of a node that have a value, in the order of declaration."""
    own = node.__dict__
    return {name: own[name] for name in type(node)._fields if name in own}


def default_of(field: Field[Any]) -> Any:
    """Return a fresh default of a field, which may be a Derived; MISSING if the field is required."""
    return field.default if field.default_factory is MISSING else field.default_factory()


def children(node: CN) -> Iterator[tuple[str, CN]]:
    """Yield the child nodes of a node with their addresses relative to it."""
    own, cls = node.__dict__, cast("NodeType", type(node))
    for name in cls._fields if cls._nodes is None else cls._nodes:
        value = own.get(name)
        # isinstance(value, CN) is 3 times slower
        if value is not None and isinstance(type(value), NodeType):
            yield cls._keys.get(name, name), value
        elif isinstance(value, dict):
            for key, item in cast("dict[str, Any]", value).items():
                if isinstance(type(item), NodeType):
                    yield f"{cls._keys.get(name, name)}.{key}", item


def walk(node: CN, address: str = "", skip: Container[int] = ()) -> Iterator[tuple[str, CN]]:
    """Yield the node and all nodes below it with their addresses, parents first.

    skip: the ids of nodes that are left out, with all below them.
    """
    yield address, node
    for name, child in children(node):
        if id(child) not in skip:
            yield from walk(child, f"{address}.{name}" if address else name, skip)


def address_of(holder: str, cls: type[CN], name: str) -> str:
    """Return the address of a field, of a node that is at an address and has this class."""
    key = cast("NodeType", cls)._keys.get(name, name)
    return f"{holder}.{key}" if holder else key


def differences(node: CN, base: CN, *, nested: bool = True) -> Iterator[tuple[str, Any, Any]]:
    """Yield each field whose value differs from that in another node of the class: its name and both values.

    The second value is `...` if the other node has none or a derived one. A field that the node derives is yielded
    only if the other node was given a value for it. nested: compare the fields of child nodes too, not their classes
    alone.
    """
    mine, theirs = node.__dict__, base.__dict__
    for name in type(node)._fields:
        given = name in theirs and name not in base._derived
        if name not in mine or (name in node._derived and not given):
            continue
        if not given:
            yield name, mine[name], ...
        elif not alike(mine[name], theirs[name], nested=nested):
            yield name, mine[name], theirs[name]


def alike(value: Any, other: Any, *, nested: bool = True) -> bool:
    """Return whether two values of a field are equal; for nodes, whether no field `differences`."""
    if isinstance(type(value), NodeType):
        return type(value) is type(other) and not (nested and any(True for _ in differences(value, other)))
    if isinstance(value, dict) and isinstance(other, dict):
        table, old = cast("dict[Any, Any]", value), cast("dict[Any, Any]", other)
        return list(table) == list(old) and all(alike(table[key], old[key], nested=nested) for key in table)
    return same(value, other)


SIMPLE = frozenset({int, float, str, bool, type(None)})


def thaw(value: Any, keep: Container[int] = ()) -> Any:
    """Return a mutable deep copy of a node or value. keep: the ids of nodes that the copy shares."""
    if isinstance(type(value), NodeType):
        if id(value) in keep:
            return value
        copy = object.__new__(value.__class__)
        fields = value.__class__._fields  # without what a cached property has computed from the old values
        own = {k: v if type(v) in SIMPLE else thaw(v, keep) for k, v in value.__dict__.items() if k in fields}
        copy.__setstate__((own, False, value._derived, value._late))
        return copy
    if isinstance(value, (list, tuple)):
        items = cast("list[Any] | tuple[Any, ...]", value)
        return type(items)(thaw(item, keep) for item in items)
    if isinstance(value, dict):
        table = cast("dict[Any, Any]", value)
        return like(table, {key: thaw(item, keep) for key, item in table.items()})
    return value


def settled(root: CN) -> dict[int, CN]:
    """Return, by id, the nodes below a composed node that hold no derived value, nor do the nodes below them.

    They depend on no other node, so variants of a run can share them.
    """
    found: dict[int, CN] = {}
    for _, each in reversed(list(walk(root))[1:]):
        if not each._derived and not each._late and all(id(child) in found for _, child in children(each)):
            found[id(each)] = each
    return found


def freeze(node: CN) -> None:
    """Freeze the node and all nodes below it."""
    for _, each in walk(node):
        object.__setattr__(each, "_frozen", True)


def is_field(name: str) -> bool:
    """Return whether a name can be a user's field; `_target_` belongs to the class."""
    return not name.startswith("_")
