"""The kinds of value that hold others: a list or tuple of one kind, a tuple of several, a dict."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cn.kinds import Kind, Mismatch, Scalar


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
        items = typing.cast("Sequence[Any]", value)
        taken = (_inner(self, self.item, item, raw) for item in items)
        return list(taken) if self.type is list else tuple(taken)

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
        if isinstance(value, (list, tuple)):
            items = typing.cast("Sequence[Any]", value)
            if len(items) == len(self.items):
                return tuple(_inner(self, kind, item, raw) for kind, item in zip(self.items, items, strict=True))
        raise Mismatch(self.name)

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
        return {self.key_of(key, raw): _inner(self, self.value, item, raw) for key, item in table.items()}

    def key_of(self, key: Any, raw: str | None = "") -> Any:
        """A key from Python, from the command line, or from JSON, where each is a string."""
        if isinstance(key, str) and isinstance(self.key, Scalar) and self.key.type is int:
            try:
                return int(key)
            except ValueError:
                raise Mismatch(self.name) from None
        return _inner(self, self.key, key, None if isinstance(key, str) else raw)

    def plain(self, value: Any) -> Any:
        return {str(self.key.plain(key)): self.value.plain(item) for key, item in value.items()}


def _inner(outer: Kind, kind: Kind, item: Any, raw: str | None) -> Any:
    """An element of a container; on the command line its text is near enough to what was typed."""
    try:
        return kind.accept(item, raw if raw is None or isinstance(item, (list, dict)) else _text(item))
    except Mismatch:
        raise Mismatch(outer.name) from None


def _text(item: Any) -> str:
    return {True: "true", False: "false"}[item] if isinstance(item, bool) else str(item)
