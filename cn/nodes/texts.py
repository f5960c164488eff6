"""Texts of values as they were typed: a str for a scalar, and nested texts for lists and dicts."""

from __future__ import annotations

from typing import Any, cast

Texts = Any  # str, list[Texts], or dict[key, tuple[str, Texts]] with the text of each key and of its value


def texts_of(value: Any) -> Texts:
    """Return the texts of a value as a user would type them."""
    if isinstance(value, (list, tuple)):
        return [texts_of(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        table = cast("dict[Any, Any]", value)
        return {key: (texts_of(key), texts_of(each)) for key, each in table.items()}
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
