"""Field types of containers: a list or tuple of one type, a tuple of several types, a dict."""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from cn.immutable import Immutable
from cn.nodes.derived import Derived
from cn.nodes.field_types import Kind, Mismatch, Scalar
from cn.nodes.texts import Texts

NUMBER = re.compile(r"[+-]?(?:0|[1-9](?:_?[0-9])*)", re.ASCII)  # an int on the command line


class Items(Immutable, Kind):
    """list[T], or tuple[T, ...]."""

    type: type
    item: Kind

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"list[{self.item.name}]" if self.type is list else f"tuple[{self.item.name}, ...]"

    def accept(self, value: Any, raw: Texts | None = None) -> Any:
        if not isinstance(value, list if raw is None and self.type is list else (list, tuple)):
            raise Mismatch(self.name)
        items = typing.cast("Sequence[Any]", value)
        taken = (_inner(self, self.item, *each) for each in zip(items, raw or [None] * len(items), strict=True))
        return list(taken) if self.type is list else tuple(taken)

    def plain(self, value: Any) -> Any:
        return [self.item.plain(item) for item in value]


class Row(Immutable, Kind):
    """tuple[A, B]: a fixed number of values, each of its own type."""

    items: tuple[Kind, ...]

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"tuple[{', '.join(item.name for item in self.items) or '()'}]"

    def accept(self, value: Any, raw: Texts | None = None) -> Any:
        if isinstance(value, (list, tuple)):
            items = typing.cast("Sequence[Any]", value)
            if len(items) == len(self.items):
                triples = zip(self.items, items, raw or [None] * len(items), strict=True)
                return tuple(_inner(self, *each) for each in triples)
        raise Mismatch(self.name)

    def plain(self, value: Any) -> Any:
        return [kind.plain(item) for kind, item in zip(self.items, value, strict=True)]


class Table(Immutable, Kind):
    """dict[K, V]; K is str, int or an Enum."""

    key: Kind
    value: Kind

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"dict[{self.key.name}, {self.value.name}]"

    def accept(self, value: Any, raw: Texts | None = None) -> Any:
        if not isinstance(value, Mapping):
            raise Mismatch(self.name)
        table = typing.cast("Mapping[Any, Any]", value)
        texts = dict.fromkeys(table, (None, None)) if raw is None else raw
        taken: dict[Any, Any] = {}
        for name, item in table.items():
            key = self.key_of(name, texts[name][0])
            if key in taken:
                raise Mismatch(self.name, "with each key once")
            taken[key] = _inner(self, self.value, item, texts[name][1])
        return taken

    def key_of(self, key: Any, raw: str | None = None) -> Any:
        """Return a key from Python, from the command line, or from JSON, where each key is a string."""
        if isinstance(key, str) and isinstance(self.key, Scalar) and self.key.type is int:
            try:
                return int(key if NUMBER.fullmatch(key) else "")
            except ValueError:  # not a number, or a number with too many digits
                raise Mismatch(self.name) from None
        return _inner(self, self.key, key, raw)

    def plain(self, value: Any) -> Any:
        return {str(self.key.plain(key)): self.value.plain(item) for key, item in value.items()}


def _inner(outer: Kind, kind: Kind, item: Any, raw: Texts | None) -> Any:
    """Accept an element of a container; one that is derived is accepted once it is computed."""
    if isinstance(item, Derived):
        return item
    try:
        return kind.accept(item, raw)
    except Mismatch as error:
        raise Mismatch(outer.name, error.why) from None
