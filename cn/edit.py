"""How an override changes a field's value, or an element of the container that the field holds."""

from __future__ import annotations

from typing import Any, cast

from cn.errors import UserError, hint
from cn.kinds import Either, Items, Kind, Mismatch, Row, Table
from cn.overrides import Assignment


def edit(kind: Kind, old: Any, rest: list[str], each: Assignment, value: Any) -> Any:
    """The new value of what was `old`; as in Hydra, a dict is merged and a list replaced."""
    if len(rest) == 1:
        if each.verb == "delete":
            raise UserError(f"{each.text}: {each.key} is a field of its class and cannot be taken away; set it instead")
        if each.verb == "add" and old is not ...:
            raise UserError(f"{each.text}: {each.key} is there already; write {each.key}={each.raw}")
        if isinstance(old, dict) and isinstance(value, dict) and each.verb != "force":
            table = _inner(kind, old)
            keys = (
                {table.key_of(key): item for key, item in cast("dict[Any, Any]", value).items()}
                if isinstance(table, Table)
                else value
            )
            value = {**old, **keys}
        return kind.accept(value, each.raw)
    inner = _inner(kind, old)
    if isinstance(inner, Table) and isinstance(old, dict):
        entries = cast("dict[Any, Any]", old)
        key = inner.key_of(rest[1])
        if len(rest) == 2 and each.verb == "delete":
            _present(key, entries, each)
            return {k: v for k, v in entries.items() if k != key}
        if len(rest) == 2 and each.verb == "add":
            if key in entries:
                raise UserError(f"{each.text}: {each.key} is there already; write {each.key}={each.raw}")
            return {**entries, key: inner.value.accept(value, each.raw)}
        if each.verb != "force" or len(rest) > 2:
            _present(key, entries, each)
        return {**entries, key: edit(inner.value, entries.get(key, ...), rest[1:], each, value)}
    if isinstance(inner, (Items, Row)) and isinstance(old, (list, tuple)):
        items = cast("list[Any]", list(cast("tuple[Any, ...]", old)))
        if not rest[1].isdecimal() or int(rest[1]) >= len(items):
            raise UserError(
                f"{each.text}: {'.'.join(each.path[: -len(rest) + 1])} has the places 0 to {len(items) - 1}, not {rest[1]!r}"
            )
        place = int(rest[1])
        items[place] = edit(
            inner.item if isinstance(inner, Items) else inner.items[place],
            items[place],
            rest[1:],
            each,
            value,
        )
        return inner.accept(items, "")
    raise UserError(
        f"{each.text}: {'.'.join(each.path[: len(each.path) - len(rest) + 1])} is {kind.name}, which has nothing inside it"
    )


def _inner(kind: Kind, old: Any) -> Kind:
    """The member of a union that holds the value; any other kind as it is."""
    if isinstance(kind, Either):
        for member in kind.members:
            try:
                if type(member.accept(old)) is type(old):
                    return member
            except Mismatch:
                continue
    return kind


def _present(key: Any, entries: dict[Any, Any], each: Assignment) -> None:
    if key not in entries:
        raise UserError(
            f"{each.text}: there is no {key!r}; {hint(str(key), map(str, entries))}; to add it: +{each.key}=..."
        )
