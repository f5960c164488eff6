"""How an override changes a field's value, or an element of the container that the field holds."""

from __future__ import annotations

from typing import Any, cast

from cn import command
from cn.containers import Items, Row, Table
from cn.errors import UserError, hint, short
from cn.kinds import SCALARS, Anything, Either, Kind, Mismatch, same
from cn.overrides import Assignment
from cn.texts import Texts, texts_of


def edit(kind: Kind, old: Any, rest: list[str], each: Assignment, value: Any) -> Any:
    """The new value of what was `old`, or `...` if there was none; as in Hydra, a dict is merged, a list replaced."""
    there = f"{each.text}: {each.key} is there already; write {each.at(each.key)}"
    if len(rest) == 1:
        if each.verb == "delete":
            raise UserError(f"{each.text}: {each.key} is a field of its class and cannot be taken away; set it instead")
        if each.verb == "add" and old is not ...:
            raise UserError(there)
        if isinstance(old, dict) and isinstance(value, dict) and each.verb != "force":
            new = cast("dict[Any, Any]", value)
            return kind.accept(*_merged(_inner(kind, old), cast("dict[Any, Any]", old), new, each.texts))
        return kind.accept(value, each.texts)
    inner = _inner(kind, old)
    holder = ".".join(each.path[: len(each.path) - len(rest) + 1])
    if isinstance(inner, Table) and (isinstance(old, dict) or old is ...):
        entries = cast("dict[Any, Any]", old if isinstance(old, dict) else {})
        try:
            key = inner.key_of(rest[1])
        except Mismatch:
            raise UserError(f"{each.text}: {holder} is {inner.name}, so {rest[1]!r} is no key of it") from None
        last = len(rest) == 2
        if key not in entries and not (last and each.verb in ("add", "force")):
            added = f"+{'.'.join(each.path[: len(each.path) - len(rest) + 2])}"
            add = f"to add it: {each.at(added) if last and each.verb != 'delete' else f'{added}=...'}"
            raise UserError(f"{each.text}: there is no {rest[1]!r}; {hint(rest[1], map(str, entries))}; {add}")
        if last and each.verb == "delete":
            if each.raw is not None and not same(inner.value.accept(value, each.texts), entries[key]):
                raise UserError(f"{each.text}: {each.key} is {short(repr(entries[key]))}, so it is not taken away")
            return {k: v for k, v in entries.items() if k != key}
        return {**entries, key: edit(inner.value, entries.get(key, ...), rest[1:], each, value)}
    if isinstance(inner, (Items, Row)) and isinstance(old, (list, tuple)):
        items = list(cast("list[Any]", old))
        if each.verb == "delete" and len(rest) == 2:
            whole = command.quoted(f"{holder}=[...]")
            raise UserError(f"{each.text}: nothing can be taken out of a list; write the whole: {whole}")
        if not rest[1].isdecimal() or len(rest[1]) > 9 or int(rest[1]) >= len(items):
            places = f"has the places 0 to {len(items) - 1}" if items else "is empty"
            raise UserError(f"{each.text}: {holder} {places}, so there is no {short(rest[1])!r}")
        place = int(rest[1])
        items[place] = edit(
            inner.item if isinstance(inner, Items) else inner.items[place], items[place], rest[1:], each, value
        )
        return type(cast("list[Any]", old))(items)
    raise UserError(f"{each.text}: {holder} is {kind.name}, which has nothing inside it")


def _merged(table: Kind, old: dict[Any, Any], new: dict[Any, Any], texts: Texts) -> tuple[dict[Any, Any], Texts]:
    """A dict with another on top of it, and the texts of both."""
    names = {key: table.key_of(key, texts[key][0]) if isinstance(table, Table) else key for key in new}
    if len(set(names.values())) < len(names):
        raise Mismatch(table.name, "with each key once")
    value = {**old, **{names[key]: item for key, item in new.items()}}
    return value, {**texts_of(old), **{names[key]: text for key, text in texts.items()}}


def _inner(kind: Kind, old: Any) -> Kind:
    """The member of a union that holds the value, and what Any holds; any other kind as it is."""
    if isinstance(kind, Either):
        for member in kind.members:
            try:
                if type(member.accept(old)) is type(old):
                    return _inner(member, old)
            except Mismatch:
                continue
    if isinstance(kind, Anything) and isinstance(old, dict):
        return Table(SCALARS[str], kind)
    if isinstance(kind, Anything) and isinstance(old, list):
        return Items(list, kind)
    return kind
