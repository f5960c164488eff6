"""The type of a field that is no node, from all values that it has anywhere in the tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

INTS, EMPTY = "dict[int, Any]", "dict[]"
NAMES = {bool: "bool", int: "int", float: "float", str: "str"}


def annotation(values: Iterable[Any], *, optional: bool, exact: bool) -> str:
    """Return the annotation that accepts all values. exact: Any for texts and lists, since others may be meant too."""
    found = {part for each in values for part in kind_of(each).split(" | ")}
    optional = optional or "None" in found
    found.discard("None")
    if dicts := {each for each in found if each.startswith("dict")}:
        if found == dicts and dicts <= {INTS, EMPTY} and INTS in dicts:
            return f"{INTS} | None" if optional else INTS
        return "dict[str, Any]" if found == dicts and INTS not in dicts and not optional else "Any"
    if exact and (optional or not found <= {"bool", "int", "float"}):
        return "Any"
    if not found or "Any" in found:
        return "Any"
    if found == {"int", "float"}:
        found = {"float"}
    lists = sorted(each for each in found if each.startswith("list"))
    if len(lists) > 1:
        found = {each for each in found if not each.startswith("list")} | {"list[Any]"}
    if "float" in found and "int" in found:
        found = found - {"int"} if found <= {"int", "float"} else found
    order = ["bool", "int", "float", "str"]
    parts = sorted(found, key=lambda each: order.index(each) if each in order else len(order))
    return " | ".join([*parts, *(["None"] if optional else [])])


def kind_of(value: Any) -> str:
    """Return the annotation of one value."""
    if isinstance(value, Unknown):
        return "Any"
    if isinstance(value, Known):
        return value.type
    if type(value) in NAMES:
        return NAMES[type(value)]
    if isinstance(value, list):
        items = cast("list[Any]", value)
        kinds = {kind_of(each) for each in items}
        if kinds == {"int", "float"}:
            kinds = {"float"}
        if len(kinds) == 1 and kinds <= set(NAMES.values()) and not any(has_interpolation(each) for each in items):
            return f"list[{kinds.pop()}]"
        return "list[Any]"
    if isinstance(value, dict):
        keys = list(cast("dict[Any, Any]", value))
        return EMPTY if not keys else INTS if all(type(key) is int for key in keys) else "dict"
    return "Any"


def with_text_keys(value: Any, kind: str = "Any") -> Any:
    """Return a plain value whose keys are texts at any depth, as Any needs; those of a `dict[int, Any]` stay."""
    if isinstance(value, dict) and kind.startswith(INTS):
        return {key: with_text_keys(each) for key, each in cast("dict[Any, Any]", value).items()}
    return mapped(value, key=str)


class Unknown:
    """Stands for a value whose type cannot be worked out."""


class Known:
    """Stands for a value of which only the type is known."""

    def __init__(self, type: str) -> None:
        self.type = type


def has_interpolation(value: Any) -> bool:
    """Return whether a value holds an interpolation, at any depth."""
    texts = (each for each in scalars(value) if isinstance(each, str))
    return any(re.search(r"(?<!\\)(?:\\\\)*\$\{", each) for each in texts)


def scalars(value: Any) -> Iterator[Any]:
    """Yield what stands in lists and dicts at any depth, and is neither."""
    if isinstance(value, (list, dict)):
        for each in cast("list[Any]", value) if isinstance(value, list) else cast("dict[Any, Any]", value).values():
            yield from scalars(each)
    else:
        yield value


def mapped(value: Any, text: Callable[[str], Any] = str, key: Callable[[Any], Any] | None = None) -> Any:
    """Return a copy of a plain value with other texts and keys."""
    if isinstance(value, dict):
        table = cast("dict[Any, Any]", value)
        return {key(name) if key else name: mapped(each, text, key) for name, each in table.items()}
    if isinstance(value, list):
        return [mapped(each, text, key) for each in cast("list[Any]", value)]
    return text(value) if isinstance(value, str) else value
