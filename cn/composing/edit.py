"""Apply an override to a field's value, or to an element of the container in the field."""

from __future__ import annotations

import contextlib
from typing import Any, cast

from cn import program
from cn.composing.overrides import Assignment
from cn.errors import UserError, hint, short
from cn.nodes.containers import Items, Row, Table
from cn.nodes.derived import Derived
from cn.nodes.field_types import SCALARS, Anything, Either, Kind, Mismatch, same
from cn.nodes.ranges import Ranged, bare
from cn.nodes.texts import Texts, texts_of


def edit(kind: Kind, old: Any, rest: list[str], each: Assignment) -> Any:
    """Return the new value for `old` (`...`: no value yet); as in Hydra, dicts are merged and lists replaced."""
    if len(rest) == 1:
        value = each.value
        if each.verb == "delete":
            raise UserError(f"{each.text}: {each.key} is a field of its class and cannot be deleted; set it instead")
        if each.verb == "add" and old is not ...:
            raise UserError(f"{each.text}: {each.key} is there already; write {each.at(each.key)}")
        if isinstance(old, dict) and isinstance(value, dict) and each.verb != "force":
            new = cast("dict[Any, Any]", value)
            return kind.accept(*_merged(bare(_inner(kind, old)), cast("dict[Any, Any]", old), new, each.texts))
        return value if isinstance(value, Derived) else kind.accept(value, each.texts)
    if old is None and each.verb in ("add", "force") and isinstance(kind, Anything):
        old = {}  # a key that is added to nothing makes a dict, as in Hydra
    inner = _inner(kind, old)
    holder = ".".join(each.path[: len(each.path) - len(rest) + 1])
    if isinstance(inner, Ranged):
        new = edit(inner.kind, old, rest, each)
        try:
            return inner.accept(new)
        except Mismatch as error:
            raise UserError(f"{each.text}: {holder} is {error}, and would be {short(repr(new))}") from None
    if isinstance(inner, Table) and (isinstance(old, dict) or old is ...):
        entries = cast("dict[Any, Any]", old if isinstance(old, dict) else {})
        try:
            key = inner.key_of(rest[1])
        except Mismatch:
            raise UserError(f"{each.text}: {holder} is {inner.name}, so {rest[1]!r} cannot be a key of it") from None
        last = len(rest) == 2
        within = isinstance(inner.value, Anything) and not last  # `++a.b.c=1` adds `b` too, as in Hydra
        if key not in entries and not ((last or within) and each.verb in ("add", "force")):
            added = f"+{'.'.join(each.path[: len(each.path) - len(rest) + 2])}"
            add = f"to add it: {each.at(added) if last and each.verb != 'delete' else f'{added}=...'}"
            raise UserError(f"{each.text}: there is no {rest[1]!r}; {hint(rest[1], map(str, entries))}; {add}")
        if last and each.verb == "delete":
            if each.raw is not None and not same(inner.value.accept(each.value, each.texts), entries[key]):
                raise UserError(f"{each.text}: {each.key} is {short(repr(entries[key]))}, so it is not deleted")
            return {k: v for k, v in entries.items() if k != key}
        return {**entries, key: edit(inner.value, entries.get(key, {} if within else ...), rest[1:], each)}
    if isinstance(inner, (Items, Row)) and isinstance(old, (list, tuple)):
        items = list(cast("list[Any]", old))
        if each.verb == "delete" and len(rest) == 2:
            whole = program.quoted(f"{holder}=[...]")
            raise UserError(f"{each.text}: a list element cannot be deleted; write the whole: {whole}")
        if not rest[1].isdecimal() or len(rest[1]) > 9 or int(rest[1]) >= len(items):
            places = f"has the places 0 to {len(items) - 1}" if items else "is empty"
            raise UserError(f"{each.text}: {holder} {places}, so there is no {short(rest[1])!r}")
        place = int(rest[1])
        item = inner.item if isinstance(inner, Items) else inner.items[place]
        items[place] = edit(item, items[place], rest[1:], each)
        return type(cast("list[Any]", old))(items)
    raise UserError(f"{each.text}: {holder} is {kind.name}, which has nothing inside it")


def _merged(table: Kind, old: dict[Any, Any], new: dict[Any, Any], texts: Texts) -> tuple[dict[Any, Any], Texts]:
    """Merge a dict into another, and dicts in it into those that are there; return the result and its texts."""
    texts = dict.fromkeys(new, (None, None)) if texts is None else texts
    names = {key: table.key_of(key, texts[key][0]) if isinstance(table, Table) else key for key in new}
    if len(set(names.values())) < len(names):
        raise Mismatch(table.name, "with each key once")
    value, said = {**old}, texts_of(old)
    for key, item in new.items():
        name, text = names[key], texts[key]
        before = old.get(name)
        if isinstance(item, dict) and isinstance(before, dict):
            inner = bare(_inner(table.value, before)) if isinstance(table, Table) else table
            there = cast("dict[Any, Any]", before)
            item, below = _merged(inner, there, cast("dict[Any, Any]", item), text[1])
            text = (text[0], below)
        value[name], said[name] = item, text
    return value, said


def _inner(kind: Kind, old: Any) -> Kind:
    """Return the union member that holds the value, or the container type of an Any; other types unchanged."""
    if isinstance(kind, Either):
        for member in kind.members:
            with contextlib.suppress(Mismatch):
                if type(member.accept(old)) is type(old):
                    return _inner(member, old)
    if isinstance(kind, Anything) and isinstance(old, dict):
        return Table(SCALARS[str], kind)
    if isinstance(kind, Anything) and isinstance(old, list):
        return Items(list, kind)
    return kind
