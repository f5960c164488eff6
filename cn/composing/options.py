"""The options that an override names: find them, and tell in an error which others there are."""

from __future__ import annotations

from typing import Any, cast

from cn import program
from cn.composing.overrides import Assignment
from cn.discovery import discover, registry
from cn.errors import UserError, hint, nearest
from cn.nodes.field_types import Child
from cn.nodes.node import CN
from cn.nodes.texts import Texts


def find(types: tuple[Any, ...], option: str, text: str, *, bundles: bool = False) -> type[CN]:
    """Return the class of an option; an error begins with the override that names the option."""
    try:
        return cast("type[CN]", discover.find(types, option, bundles=bundles))
    except UserError as error:
        raise type(error)(f"{text}: {error}") from None


def choose_from(kind: Child) -> str:
    """Return `choose from: ...` with the first options of a field."""
    names = list(discover.options(kind.types)[0])
    return f"choose from: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"


def named_options(each: Assignment) -> list[tuple[str, Any]]:
    """Return the options that a value names, none, one or several, each with the name of its entry."""
    value: Any = each.value
    if each.place and isinstance(value, dict):
        return list(cast("dict[str, Any]", value).items())
    items = [] if value is None else cast("list[Any]", value) if isinstance(value, list) else [value]
    texts = each.texts if isinstance(value, list) and each.texts is not None else [each.texts] * len(items)
    options = [named_option(*pair) for pair in zip(items, texts, strict=True)]
    return [(str(option_of(option) or option).replace("/", "_"), option) for option in options]


def named_option(value: Any, texts: Texts) -> Any:
    """Return the typed text, which names an option. A list, a dict or a value without a text is returned unchanged."""
    return cast("Any", value) if isinstance(value, (list, dict)) or texts is None else texts


def words_to_have(kind: Child, path: list[str], name: str, entries: dict[str, CN]) -> list[str]:
    """Suggest, for an entry that is missing, a similar entry or an option to add."""
    options = discover.options(kind.types, bundles=True)[0]
    there = [hint(name, entries)] if entries else []
    for option in options:
        if name in (option, option.replace("/", "_")):
            return [*there, f"to add it: {program.said('+' + '/'.join(path), option)}"]
    if (entries and nearest(name, entries)) or not options:
        return there
    return [*there, f"options to add: {hint(name, options).partition(': ')[2]}"]


def words_to_choose(kind: Child, each: Assignment) -> str:
    """Return the override that chooses the node; with the option's name if the value is one."""
    key = each.key.replace(".", "/")
    known = isinstance(each.texts, str) and each.texts in discover.options(kind.types)[0]
    return each.at(key) if known else f"{key}=NAME"


def option_of(node: Any) -> str | None:
    """Return the option name of a node or a node class; None for other values, and for a class that is no option."""
    cls = node if isinstance(node, type) else type(node)
    key = registry.key_of(cls) if issubclass(cls, CN) else None
    return key.option if key else None
