"""What an annotation means: which values it accepts, and how they are written down.

A `Kind` is made once from a field's annotation. `accept` takes a value from Python, from the command line or from
JSON and returns it as the annotation says, or raises `Mismatch`. OmegaConf's own types are not used, since they know
no Literal, tuple or union of nodes.
"""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cn.errors import DefinitionError

Eval = Callable[[str], Any]  # evaluates an annotation that was written as a string


class Mismatch(ValueError):
    """The value does not fit; the text says what would, such as `an int`."""


def same(a: Any, b: Any) -> bool:
    """Equal in value and in type, all the way down; nan is the same as nan."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return a == b or (a != a and b != b)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return bool(a == b)


class Kind:
    """One annotation."""

    name: str  # as a reader would write it

    def accept(self, value: Any, raw: str | None = None) -> Any:
        """The value as this kind holds it. `raw` is its text on the command line, where it came from there."""
        raise Mismatch(self.name)

    def plain(self, value: Any) -> Any:
        """The value as JSON can hold it, so that `accept` gives it back."""
        return value


@dataclass(frozen=True)
class Scalar(Kind):
    """int, float, str, bool, None or Path."""

    type: type
    name: str

    def accept(self, value: Any, raw: str | None = None) -> Any:
        if type(value) is self.type:
            return value
        if self.type is float and type(value) is int:
            return float(value)
        if self.type is int and type(value) is float and value.is_integer() and raw is not None:
            return int(value)  # 1e5 on the command line
        if self.type is str and raw is not None and value is not None and not isinstance(value, (list, dict)):
            return raw
        if self.type is Path:
            if isinstance(value, Path):
                return Path(value)
            if isinstance(value, str) and value:
                return Path(value)
            if raw and isinstance(value, (int, float)) and not isinstance(value, bool):
                return Path(raw)
        raise Mismatch(self.name)

    def plain(self, value: Any) -> Any:
        return str(value) if self.type is Path else value


@dataclass(frozen=True)
class OneOf(Kind):
    """A Literal: one of a few values, compared with their type."""

    values: tuple[Any, ...]

    @property
    def name(self) -> str:  # type: ignore[override]
        return "one of " + ", ".join(map(repr, self.values))

    def accept(self, value: Any, raw: str | None = None) -> Any:
        for known in self.values:
            if same(known, value) or (isinstance(known, str) and known == raw):
                return known
        raise Mismatch(self.name)


@dataclass(frozen=True)
class Member(Kind):
    """A member of an Enum, by its name."""

    type: type[enum.Enum]

    @property
    def name(self) -> str:  # type: ignore[override]
        return "one of " + ", ".join(self.type.__members__)

    def accept(self, value: Any, raw: str | None = None) -> Any:
        if isinstance(value, self.type):
            return value
        for text in (value, raw):
            if isinstance(text, str) and text.removeprefix(f"{self.type.__name__}.") in self.type.__members__:
                return self.type[text.removeprefix(f"{self.type.__name__}.")]
        raise Mismatch(self.name)

    def plain(self, value: Any) -> Any:
        return value.name


@dataclass(frozen=True)
class Either(Kind):
    """A union: the first member that holds the value unchanged, otherwise the first that can take it."""

    members: tuple[Kind, ...]

    @property
    def name(self) -> str:  # type: ignore[override]
        return " | ".join(member.name for member in self.members)

    def accept(self, value: Any, raw: str | None = None) -> Any:
        if isinstance(value, dict) and set(value) == {"_member_", "_value_"}:
            return self.members[value["_member_"]].accept(value["_value_"])
        taken: list[Any] = []
        for member in self.members:
            try:
                result = member.accept(value, raw)
            except Mismatch:
                continue
            if same(result, value):
                return result
            taken.append(result)
        if taken:
            return taken[0]
        raise Mismatch(self.name)

    def plain(self, value: Any) -> Any:
        for index, member in enumerate(self.members):
            try:
                if not same(member.accept(value), value):
                    continue
            except Mismatch:
                continue
            plain = member.plain(value)
            if same(self.accept(plain), value):
                return plain
            return {"_member_": index, "_value_": plain}
        return value


@dataclass(frozen=True)
class Items(Kind):
    """list[T], or tuple[T, ...]."""

    type: type
    item: Kind

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"list[{self.item.name}]" if self.type is list else f"tuple[{self.item.name}, ...]"

    def accept(self, value: Any, raw: str | None = None) -> Any:
        if not isinstance(value, (list, tuple)):
            raise Mismatch(self.name)
        if raw is None and self.type is list and not isinstance(value, list):
            raise Mismatch(self.name)
        return self.type(_inner(self.item, item, raw) for item in typing.cast("Sequence[Any]", value))

    def plain(self, value: Any) -> Any:
        return [self.item.plain(item) for item in value]


@dataclass(frozen=True)
class Row(Kind):
    """tuple[A, B]: a fixed number of values, each with a kind of its own."""

    items: tuple[Kind, ...]

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"tuple[{', '.join(item.name for item in self.items) or '()'}]"

    def accept(self, value: Any, raw: str | None = None) -> Any:
        if not isinstance(value, (list, tuple)) or len(typing.cast("Sequence[Any]", value)) != len(self.items):
            raise Mismatch(self.name)
        return tuple(_inner(kind, item, raw) for kind, item in zip(self.items, value, strict=True))

    def plain(self, value: Any) -> Any:
        return [kind.plain(item) for kind, item in zip(self.items, value, strict=True)]


@dataclass(frozen=True)
class Table(Kind):
    """dict[K, V]; K is str, int or an Enum."""

    key: Kind
    value: Kind

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"dict[{self.key.name}, {self.value.name}]"

    def accept(self, value: Any, raw: str | None = None) -> Any:
        if not isinstance(value, Mapping):
            raise Mismatch(self.name)
        table = typing.cast("Mapping[Any, Any]", value)
        return {self.key_of(key): _inner(self.value, item, raw) for key, item in table.items()}

    def key_of(self, key: Any) -> Any:
        """A key from Python, from the command line, or from JSON, where each is a string."""
        if isinstance(key, str) and isinstance(self.key, Scalar) and self.key.type is int:
            try:
                return int(key)
            except ValueError:
                raise Mismatch(self.name) from None
        return self.key.accept(key, None if isinstance(key, str) else str(key))

    def plain(self, value: Any) -> Any:
        return {str(self.key.plain(key)): self.value.plain(item) for key, item in value.items()}


@dataclass(frozen=True)
class Anything(Kind):
    """Any: whatever JSON can hold."""

    name: str = "a plain value"

    def accept(self, value: Any, raw: str | None = None) -> Any:
        if value is None or type(value) in (bool, int, float, str):
            return value
        if isinstance(value, list):
            return [self.accept(item) for item in typing.cast("list[Any]", value)]
        if isinstance(value, dict):
            table = typing.cast("dict[Any, Any]", value)
            if all(type(key) is str for key in table):
                return {key: self.accept(item) for key, item in table.items()}
        raise Mismatch(self.name)


@dataclass(frozen=True)
class Child(Kind):
    """A node, or several by name (`many`). `types` are the classes that it may be an instance of."""

    types: tuple[type, ...]
    optional: bool = False
    many: bool = False

    @property
    def name(self) -> str:  # type: ignore[override]
        one = " | ".join([kind.__name__ for kind in self.types] + (["None"] if self.optional else []))
        return f"dict[str, {one}]" if self.many else one

    def accept(self, value: Any, raw: str | None = None) -> Any:
        if self.many:
            if isinstance(value, dict):
                table = typing.cast("dict[Any, Any]", value)
                if all(type(k) is str and isinstance(v, self.types) for k, v in table.items()):
                    return table
        elif isinstance(value, self.types) or (self.optional and value is None):
            return value
        raise Mismatch(self.name)


def _inner(kind: Kind, item: Any, raw: str | None) -> Any:
    """An element of a container; on the command line its text is near enough to what was typed."""
    return kind.accept(item, None if raw is None or isinstance(item, (list, dict)) else _text(item))


def _text(item: Any) -> str:
    return {True: "true", False: "false"}[item] if isinstance(item, bool) else str(item)


SCALARS: dict[Any, Kind] = {t: Scalar(t, t.__name__) for t in (int, float, str, bool, Path)}
SCALARS[None] = SCALARS[type(None)] = Scalar(type(None), "None")
BARE: dict[Any, Kind] = {
    list: Items(list, Anything()),
    tuple: Items(tuple, Anything()),
    dict: Table(SCALARS[str], Anything()),
    Any: Anything(),
}
INSTEAD = {
    "set": "a list",
    "frozenset": "a tuple",
    "Callable": "the dotted name of the function as a str, or a node that builds it",
    "bytes": "a str, or a Path to the bytes",
    "complex": "two floats",
    "object": "Any, or the types that it may have",
    "type": "a node: its class is the choice",
    "Sequence": "a list, or a tuple with `...`",
    "Mapping": "a dict",
}


def kind_of(annotation: Any, evaluate: Eval, node: type) -> Kind:
    """The kind of an annotation. `node` is the base class of all nodes.

    Raises NameError while a name in it is not defined yet, and DefinitionError for what cannot work.
    """
    if isinstance(annotation, str):
        annotation = evaluate(annotation)
    if isinstance(annotation, typing.ForwardRef):
        annotation = evaluate(annotation.__forward_arg__)
    if _hashable(annotation) and annotation in SCALARS:
        return SCALARS[annotation]
    if _hashable(annotation) and annotation in BARE:
        return BARE[annotation]
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return Member(annotation)
    if isinstance(annotation, type) and issubclass(annotation, node):
        return Child((annotation,))
    if hasattr(annotation, "__supertype__"):  # NewType
        return kind_of(annotation.__supertype__, evaluate, node)
    if type(annotation).__name__ == "TypeAliasType":
        return kind_of(annotation.__value__, evaluate, node)
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    inner = (
        []
        if origin in (typing.Literal, typing.Annotated)
        else [arg if arg is ... else kind_of(arg, evaluate, node) for arg in args]
    )
    if origin in (typing.Annotated, typing.Final):
        return kind_of(args[0], evaluate, node)
    if origin is typing.Literal:
        return OneOf(args)
    if origin in (typing.Union, types.UnionType):
        return _union(inner, annotation)
    if any(isinstance(kind, Child) for kind in inner):
        if origin is dict and inner[0] == SCALARS[str] and not inner[1].many and not inner[1].optional:
            return Child(inner[1].types, many=True)
        raise DefinitionError(f"cannot be {_write(annotation)}: write dict[str, T] to hold several nodes by name")
    if origin is list:
        return Items(list, inner[0])
    if origin is tuple and len(inner) == 2 and inner[1] is ...:
        return Items(tuple, inner[0])
    if origin is tuple:
        return Row(tuple(inner))
    if origin is dict:
        if inner[0] not in (SCALARS[str], SCALARS[int]) and not isinstance(inner[0], Member):
            raise DefinitionError(f"cannot be {_write(annotation)}: write str, int or an Enum for the keys of a dict")
        return Table(inner[0], inner[1])
    name = getattr(origin or annotation, "__name__", str(annotation))
    instead = INSTEAD.get(name, f"a node (class {name}(CN)) that holds its plain values and builds it")
    raise DefinitionError(f"cannot be {_write(annotation)}: write {instead}")


def _union(inner: list[Any], annotation: Any) -> Kind:
    children = [kind for kind in inner if isinstance(kind, Child)]
    plain = [kind for kind in inner if not isinstance(kind, Child)]
    if not children:
        return Either(tuple(plain))
    if any(kind.many for kind in children) or any(kind != SCALARS[None] for kind in plain):
        raise DefinitionError(f"cannot be {_write(annotation)}: a field holds nodes or plain values, write two fields")
    return Child(tuple(t for kind in children for t in kind.types), optional=bool(plain))


def _write(annotation: Any) -> str:
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__name__
    return str(annotation).replace("typing.", "").replace("collections.abc.", "")


def _hashable(annotation: Any) -> bool:
    try:
        hash(annotation)
    except TypeError:  # Annotated with a list, say
        return False
    return True
