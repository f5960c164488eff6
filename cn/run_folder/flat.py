"""A run's record, value by value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from cn.nodes.to_json import CLASS, DERIVED


def flat(record: dict[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield address (`optim.lr`) and value of each field in a record; the value of a node is its class."""
    for name, value in record.items():
        address = f"{place}.{name}".lstrip(".")
        if name == CLASS:
            yield place or "run", value
        elif name == DERIVED:
            continue
        elif _holds_nodes(value):
            yield from flat(value, address)
        else:
            yield address, value


def is_node(value: Any) -> bool:
    return isinstance(value, dict) and CLASS in value


def _holds_nodes(value: Any) -> bool:
    """Return whether a value is the record of a node, or of several nodes by name."""
    return is_node(value) or (isinstance(value, dict) and any(map(is_node, cast("dict[str, Any]", value).values())))
