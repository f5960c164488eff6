"""Plain values as pages such as `--help` show them."""

from __future__ import annotations

from typing import Any

from cn.errors import short
from cn.nodes.field_types import Kind, untagged
from cn.nodes.texts import texts_of


def displayed(kind: Kind, value: Any) -> str:
    """Return a plain value for pages such as --help, much as a user types it."""
    plain = untagged(kind.plain(value))
    if plain is None or isinstance(plain, bool):
        return texts_of(plain)
    if isinstance(plain, str):
        return plain if plain and plain.isprintable() else repr(plain)
    text = str(plain)
    return short(text.replace("'", "") if isinstance(plain, (list, dict)) else text)
