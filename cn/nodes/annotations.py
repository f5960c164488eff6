"""Annotations: the field type that an annotation means."""

from __future__ import annotations

import enum
import re
import types
import typing
from collections.abc import Callable
from typing import Any

from cn.errors import DefinitionError
from cn.nodes.containers import Items, Row, Table
from cn.nodes.field_types import SCALARS, Anything, Child, Either, Kind, Member, OneOf
from cn.nodes.ranges import ranged
from cn.nodes.traversal import NodeType

Eval = Callable[[str], Any]  # evaluates an annotation that was written as a string
BARE: dict[Any, Kind] = {
    list: Items(list, Anything()),
    tuple: Items(tuple, Anything()),
    dict: Table(SCALARS[str], Anything()),
    Any: Anything(),
}
BARE.update({getattr(typing, kind.__name__.title()): BARE[kind] for kind in (list, tuple, dict)})  # typing.List
PLACES: dict[Any, int] = {list: 1, dict: 2}
INSTEAD = {
    **dict.fromkeys(["set", "MutableSet", "Iterable", "Iterator", "Collection", "MutableSequence", "deque"], "a list"),
    **dict.fromkeys(["Mapping", "MutableMapping", "OrderedDict", "defaultdict"], "a dict"),
    **dict.fromkeys(["PurePath", "PosixPath", "PathLike"], "Path"),
    **dict.fromkeys(["bytes", "bytearray"], "a str, or a Path to the bytes"),
    "frozenset": "a tuple",
    "Sequence": "a list, or a tuple with `...`",
    "Callable": "the dotted name of the function as a str, or a node that builds it",
    "complex": "two floats",
    "object": "Any, or the types that it may have",
    "type": "a node: its class is the choice",
    "Enum": "a subclass of Enum that has members",
}


def kind_of(annotation: Any, evaluate: Eval) -> Kind:
    """Return the field type of an annotation.

    Raises NameError for a name that is not yet defined, and DefinitionError for an annotation that is not supported.
    """
    if isinstance(annotation, (str, typing.ForwardRef)):
        text = annotation if isinstance(annotation, str) else annotation.__forward_arg__
        return kind_of(evaluate(text), evaluate)
    alias: Any = annotation
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return ranged(kind_of(args[0], evaluate), args[1:], lambda: written(annotation))
    known = (SCALARS.get(annotation) or BARE.get(annotation)) if hashable(annotation) else None
    if known is not None:
        return known
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum) and annotation.__members__:
        return Member(annotation)
    if isinstance(annotation, NodeType):
        return Child((annotation,))
    if isinstance(alias, typing.NewType):
        return kind_of(alias.__supertype__, evaluate)
    if type(alias).__name__ == "TypeAliasType":
        return kind_of(alias.__value__, evaluate)
    if origin is typing.Final:
        return kind_of(args[0], evaluate)
    if origin is typing.Literal:
        if any(isinstance(value, bytes) for value in args):
            raise DefinitionError(f"cannot be {written(annotation)}: write a Literal of str")
        return OneOf(args)
    if origin in (typing.Union, types.UnionType):
        return _union([kind_of(arg, evaluate) for arg in args], annotation)
    if origin in (list, tuple, dict):
        return _container(origin, args, annotation, lambda arg: kind_of(arg, evaluate))
    name = getattr(typing.cast("Any", origin or annotation), "__name__", "")
    instead = "a type, such as int or list[str]"
    if isinstance(origin or annotation, type):
        instead = f"a node (class {name}(CN)) that holds its plain values and builds it"
    raise DefinitionError(f"cannot be {written(annotation)}: write {INSTEAD.get(name, instead)}")


def hashable(value: Any) -> bool:
    """Return whether a value is hashable, so that all instances can share it as their default."""
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _container(origin: Any, args: tuple[Any, ...], annotation: Any, inner_kind: Callable[[Any], Kind]) -> Kind:
    endless = origin is tuple and len(args) == 2 and args[1] is ...
    inner = [inner_kind(arg) for arg in (args[:1] if endless else args) if arg is not ...]
    if any(isinstance(kind, Child) for kind in inner):
        entry = inner[-1]
        named = origin is dict and inner[0] == SCALARS[str]
        if named and isinstance(entry, Child) and not entry.many and not entry.optional:
            return Child(entry.types, many=True)
        raise DefinitionError(f"cannot be {written(annotation)}: write dict[str, T] to hold several nodes by name")
    if len(inner) != (1 if endless else len(args)) or len(inner) != PLACES.get(origin, len(inner)):
        instead = "list[T]" if origin is list else "dict[str, T]" if origin is dict else "tuple[T, ...] or tuple[A, B]"
        raise DefinitionError(f"cannot be {written(annotation)}: write {instead}")
    if origin is dict:
        if inner[0] not in (SCALARS[str], SCALARS[int]) and not isinstance(inner[0], Member):
            raise DefinitionError(f"cannot be {written(annotation)}: write str, int or an Enum for the keys of a dict")
        return Table(inner[0], inner[1])
    return Items(origin, inner[0]) if origin is list or endless else Row(tuple(inner))


def _union(inner: list[Kind], annotation: Any) -> Kind:
    children = [kind for kind in inner if isinstance(kind, Child)]
    plain = [kind for kind in inner if not isinstance(kind, Child)]
    if not children:
        return Either(tuple(plain))
    if len(children) == 1 and all(kind == SCALARS[None] for kind in plain):
        return children[0].replace(optional=True)
    if any(kind.many for kind in children):
        instead = "dict[str, A | B] for nodes of several types"
    elif any(kind != SCALARS[None] for kind in plain):
        instead = "two fields, one for the node and one for the plain value"
    else:
        return Child(tuple(each for kind in children for each in kind.types), optional=bool(plain))
    raise DefinitionError(f"cannot be {written(annotation)}: write {instead}")


def written(annotation: Any) -> str:
    """Return an annotation as it is written, without module names."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__name__
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", str(annotation))
