"""Field types: the values that a field accepts, and their JSON form. `containers` has lists, tuples and dicts.

A `Kind` is made once from a field's annotation. `accept` converts a value from Python, from the command line or from
JSON to the annotated type, or raises `Mismatch`. OmegaConf's own types are not used, because they have no Literal,
tuple or union of nodes.
"""

from __future__ import annotations

import contextlib
import enum
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cn import paths
from cn.errors import UserError, short
from cn.immutable import Immutable
from cn.nodes.derived import Derived
from cn.nodes.texts import Texts

MEMBER, VALUE = "_member_", "_value_"  # tag a union's value whose JSON another member would accept first


class Mismatch(ValueError):  # noqa: N818
    """The value does not fit; the text names the expected type, such as `an int`. `why`: a further condition."""

    def __init__(self, text: str, why: str = "") -> None:
        super().__init__(f"{text}, {why}" if why else text)
        self.why = why


def untagged(plain: Any) -> Any:
    """Return a value's JSON without the tags of unions: as a person writes it."""
    if isinstance(plain, list):
        return [untagged(each) for each in typing.cast("list[Any]", plain)]
    if isinstance(plain, dict):
        table = typing.cast("dict[str, Any]", plain)
        return untagged(table[VALUE]) if table.keys() == {MEMBER, VALUE} else {k: untagged(v) for k, v in table.items()}
    return plain


def same(a: Any, b: Any) -> bool:
    """Return whether two values are equal in value and type, recursively; nan equals nan."""
    if type(a) is not type(b):
        return isinstance(a, dict) and isinstance(b, dict) and same({**a}, {**b})  # one is Bundled
    if isinstance(a, float):
        return a == b or (a != a and b != b)
    if isinstance(a, (list, tuple)):
        items = typing.cast("Sequence[Any]", a)
        return len(items) == len(b) and all(map(same, items, b))
    if isinstance(a, dict):
        table = typing.cast("dict[Any, Any]", a)
        return list(table) == list(b) and all(same(table[k], b[k]) for k in table)
    return bool(a == b)


class Kind:
    """The type of a field."""

    name: str  # as a reader would write the type

    def accept(self, value: Any, raw: Texts | None = None) -> Any:
        """Convert a value to this type; `raw` is its text if the value comes from the command line."""
        raise Mismatch(self.name)

    def choices(self) -> list[str]:
        """Return the words that may be written, if the type has only a few."""
        return []

    def plain(self, value: Any) -> Any:
        """Return the JSON form of the value, which `accept` converts back."""
        return value


class Scalar(Immutable, Kind):
    """int, float, str, bool, None or Path."""

    type: type
    name: str

    def accept(self, value: Any, raw: Texts | None = None) -> Any:
        if type(value) is self.type:
            return value
        if self.type is float and type(value) is int:
            with contextlib.suppress(OverflowError):
                return float(value)
        if self.type is int and type(value) is float and value.is_integer() and raw is not None:
            return self._exact(raw)  # 1e5 on the command line
        if self.type is str and raw is not None and value is not None and not isinstance(value, (list, dict)):
            return raw
        if self.type is Path:
            if isinstance(value, Path):
                return Path(value)
            if isinstance(value, str) and value:
                return Path(value) if raw is None else self._typed(value)
            if raw and isinstance(value, (int, float)) and not isinstance(value, bool):
                return Path(raw)
        raise Mismatch(self.name)

    def plain(self, value: Any) -> Any:
        return str(value) if self.type is Path else value

    def _typed(self, text: str) -> Path:
        try:
            return paths.typed(text)
        except UserError:
            why = f"where {short(text.partition('/')[0])} must be a home folder that is there"
            raise Mismatch(self.name, why) from None

    def _exact(self, raw: str) -> int:
        """Return the exact integer of a text such as `9007199254740993.0`, which a float would round."""
        from decimal import Decimal, InvalidOperation

        with contextlib.suppress(InvalidOperation):
            number = Decimal(raw.replace("_", ""))
            if number == number.to_integral_value():
                return int(number)
        raise Mismatch(self.name)


def _one_of(choices: list[str]) -> str:
    return f"one of {', '.join(choices)}" if len(choices) <= 8 else f"one of {len(choices)} words"


class OneOf(Immutable, Kind):
    """A Literal: one of a few values, compared with their type."""

    values: tuple[Any, ...]

    @property
    def name(self) -> str:  # type: ignore[override]
        return _one_of([v.name if isinstance(v, enum.Enum) else repr(v) for v in self.values])

    def choices(self) -> list[str]:
        return [v.name if isinstance(v, enum.Enum) else str(v) for v in self.values]

    def accept(self, value: Any, raw: Texts | None = None) -> Any:
        for known in self.values:
            if same(known, value):
                return known
        for known in self.values:
            text = known.name if isinstance(known, enum.Enum) else known
            if isinstance(text, str) and (text == raw or (text is not known and text == value)):
                return known
        raise Mismatch(self.name)

    def plain(self, value: Any) -> Any:
        return value.name if isinstance(value, enum.Enum) else value


class Member(Immutable, Kind):
    """A member of an Enum, by its name."""

    type: type[enum.Enum]

    @property
    def name(self) -> str:  # type: ignore[override]
        return _one_of(self.choices())

    def choices(self) -> list[str]:
        return list(self.type.__members__)

    def accept(self, value: Any, raw: Texts | None = None) -> Any:
        if isinstance(value, self.type) and value.name in self.type.__members__:
            return value  # a combination of Flag members has no name, so it cannot be written
        for text in (value, raw):
            if isinstance(text, str) and text.removeprefix(f"{self.type.__name__}.") in self.type.__members__:
                return self.type[text.removeprefix(f"{self.type.__name__}.")]
        raise Mismatch(self.name)

    def plain(self, value: Any) -> Any:
        return value.name


class Either(Immutable, Kind):
    """A union: the first member that accepts the value unchanged, otherwise the first that accepts it."""

    members: tuple[Kind, ...]

    @property
    def name(self) -> str:  # type: ignore[override]
        return " | ".join(member.name for member in self.members)

    def choices(self) -> list[str]:
        return [choice for member in self.members for choice in member.choices()]

    def accept(self, value: Any, raw: Texts | None = None) -> Any:
        table = typing.cast("dict[Any, Any]", value if raw is None and isinstance(value, dict) else {})
        if table.keys() == {MEMBER, VALUE}:
            with contextlib.suppress(Mismatch, TypeError, IndexError):
                index: int = table[MEMBER]
                return self.members[index].accept(table[VALUE])
        taken: list[Any] = []
        why = ""
        for member in self.members:
            try:
                result = member.accept(value, raw)
            except Mismatch as error:
                why = why or error.why
                continue
            if same(result, value):
                return result
            taken.append(result)
        if taken:
            return taken[0]
        raise Mismatch(self.name, why)

    def plain(self, value: Any) -> Any:
        if value is None or type(value) in (bool, int, float, str):  # the same in JSON, whichever member accepts it
            return value
        for index, member in enumerate(self.members):
            with contextlib.suppress(Mismatch):
                if same(member.accept(value), value):
                    plain = member.plain(value)
                    return plain if same(self.accept(plain), value) else {MEMBER: index, VALUE: plain}
        return value


class Anything(Immutable, Kind):
    """Any: every value that JSON can hold."""

    name: str = "a plain value"

    def accept(self, value: Any, raw: Texts | None = None) -> Any:
        if value is None or type(value) in (bool, int, float, str) or isinstance(value, Derived):
            return value
        if isinstance(value, list):
            return [self.accept(item) for item in typing.cast("list[Any]", value)]
        if isinstance(value, dict):
            table = typing.cast("dict[Any, Any]", value)
            if all(type(key) is str for key in table):
                return {key: self.accept(item) for key, item in table.items()}
        raise Mismatch(self.name)


class Bundled(dict[str, Any]):
    """The nodes of a bundle in a dict of nodes, until the run is composed."""

    def __init__(self, nodes: dict[str, Any], of: type) -> None:
        super().__init__(nodes)
        self.of = of  # the bundle


def like(table: dict[Any, Any], made: dict[Any, Any]) -> dict[Any, Any]:
    """Return a dict that was made of another one, as a bundle if the other one is."""
    return Bundled(made, table.of) if isinstance(table, Bundled) else made


class Child(Immutable, Kind):
    """A node, or a dict of nodes (`many`). `types` are the allowed classes."""

    types: tuple[type, ...]
    optional: bool = False
    many: bool = False

    @property
    def name(self) -> str:  # type: ignore[override]
        one = " | ".join(kind.__name__ for kind in self.types)
        return (f"dict[str, {one}]" if self.many else one) + (" | None" if self.optional else "")

    def accept(self, value: Any, raw: Texts | None = None) -> Any:
        if self.many and isinstance(value, dict):
            table = typing.cast("dict[Any, Any]", value)
            if all(type(k) is str and isinstance(v, self.types) for k, v in table.items()):
                return like(table, dict(table))
        elif (self.optional and value is None) or (not self.many and isinstance(value, self.types)):
            return value
        raise Mismatch(self.name)


SCALARS: dict[Any, Kind] = {t: Scalar(t, t.__name__) for t in (int, float, str, bool, Path)}
SCALARS[None] = SCALARS[type(None)] = Scalar(type(None), "None")
