"""Works out the derived fields of a whole run: those to which nobody gave a value."""
# pyright: reportPrivateUsage=false
# (_fields and _derived belong to cn, and have names that no field may have)

from __future__ import annotations

from typing import cast

from cn.derived import Derived, deriving
from cn.errors import UserError, lines, short
from cn.kinds import Kind, Mismatch
from cn.node import CN, resolve, walk, where


def derive_absent(root: CN) -> None:
    """Give each derived field that has no value the one that follows from the run; UserError where it cannot."""
    with deriving(root):
        for address, node in walk(root):
            for name, field in type(node)._fields.items():
                if isinstance(field.default, Derived) and name not in node.__dict__:
                    _derive(node, name, f"{address}.{name}" if address else name)


def read_sources(root: CN) -> None:
    """Work out once more what was derived, and throw it away: whoever takes note of reads sees what it follows from."""
    with deriving(root):
        for _, node in walk(root):
            for name in node._derived:
                getattr(type(node), name).__get__(node, type(node))


def _derive(node: CN, name: str, address: str) -> None:
    value = getattr(node, name)
    try:
        vars(node)[name] = cast("dict[str, Kind]", resolve(type(node)))[name].accept(value)
    except Mismatch as error:
        why = f"{address} is {error}, but it is derived as {short(repr(value))}"
        raise UserError(lines(why, where(type(node), name))) from None
    object.__setattr__(node, "_derived", node._derived | {name})
