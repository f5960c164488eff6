"""Whether what a node built is what a run is made of."""

from __future__ import annotations

from typing import Any, TypeVar

from cn import CN, UserError, source
from cn.errors import lines, short

Part = TypeVar("Part")


def expect(kind: type[Part], part: Any, address: str, node: CN) -> Part:
    """The part that the node at that address built; UserError for what is none, as after a forgotten `return`."""
    if isinstance(part, kind):
        return part
    cls = type(node)
    what = f"{address}: {cls.__name__}.build() gave {short(repr(part))}, and must give {_article(kind.__name__)}"
    raise UserError(lines(what, f"{cls.__name__} is defined in {source.place(cls)}"))


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "AEIOU" else f"a {name}"
