"""Comments within lists and plain dicts, which stand at their items."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, cast

from cn.importing.classes.comments import comments
from cn.importing.defaults_lists.contents import Branch, Item, Leaf
from cn.importing.writing.layout import Commented, Expression, Lambda


def commented(expression: Expression, item: Item | None) -> Expression:
    """Return the expression of a list or a dict with the comments that the YAML has within it."""
    held = _held(item)
    if not held or isinstance(expression, (str, Lambda, Commented)):
        return expression
    opening, parts, closing = expression
    if len(parts) != len(held):
        return expression
    inner = [(before, _noted(part, each)) for (before, part), each in zip(parts, held, strict=True)]
    return opening, inner, closing


def _noted(part: Expression, item: Item) -> Expression:
    above, beside = comments(item)
    part = commented(part, item)
    return Commented(part, above, beside) if above or beside else part


def _held(item: Item | None) -> list[Item]:
    """Return the items of a list or of a mapping."""
    if isinstance(item, Branch):
        return list(item.items.values())
    value: Any = item.value if isinstance(item, Leaf) else None
    if not isinstance(item, Leaf) or not isinstance(value, (list, dict)):
        return []
    if isinstance(value, list):
        pairs: list[tuple[Hashable, Any]] = list(enumerate(cast("list[Any]", value)))
    else:
        pairs = list(cast("dict[Hashable, Any]", value).items())
    return [Leaf(each, item.file, (*item.keys, key)) for key, each in pairs]
