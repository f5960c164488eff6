"""The type of a field that is no node, from all values that it has anywhere in the tree."""

from __future__ import annotations

import re
from collections.abc import Iterable
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
    if isinstance(value, dict):
        table = cast("dict[Any, Any]", value)
        kept = kind.startswith(INTS)
        return {key if kept else str(key): with_text_keys(each) for key, each in table.items()}
    return [with_text_keys(each) for each in cast("list[Any]", value)] if isinstance(value, list) else value


class Unknown:
    """Stands for a value whose type cannot be worked out."""


class Known:
    """Stands for a value of which only the type is known."""

    def __init__(self, type: str) -> None:
        self.type = type


def has_interpolation(value: Any) -> bool:
    """Return whether a value holds an interpolation, at any depth."""
    if isinstance(value, str):
        return bool(re.search(r"(?<!\\)(?:\\\\)*\$\{", value))
    if isinstance(value, list):
        return any(map(has_interpolation, cast("list[Any]", value)))
    if isinstance(value, dict):
        return any(map(has_interpolation, cast("dict[Any, Any]", value).values()))
    return False
