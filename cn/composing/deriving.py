"""Compute the derived fields of a whole run that have no given value."""
# pyright: reportPrivateUsage=false
# (_fields and _derived belong to cn; no user field may have these names)

from __future__ import annotations

import contextlib
from typing import cast

from cn.discovery.source import where
from cn.errors import CNError, UnfinishedError, UserError, lines, short
from cn.nodes.derived import Derived, deriving
from cn.nodes.field_types import Kind, Mismatch, same
from cn.nodes.node import CN
from cn.nodes.resolving import resolve
from cn.nodes.traversal import walk


def derive_absent(root: CN, *, partial: bool = False) -> None:
    """Compute each derived field that has no value; UserError if a computation fails.

    partial: a field that needs a required value stays without a value if that value was not given.
    """
    with _deriving(root):
        for address, node in walk(root):
            for name, field in type(node)._fields.items():
                if isinstance(field.default, Derived) and name not in node.__dict__:
                    with contextlib.suppress(*((UnfinishedError,) if partial else ())):
                        _derive(node, name, f"{address}.{name}" if address else name)


def read_sources(root: CN) -> None:
    """Compute the derived values again and discard them, so that read tracking sees their sources."""
    with _deriving(root):
        for _, node in walk(root):
            for name in node._derived:
                getattr(type(node), name).__get__(node, type(node))


def share_derived(root: CN) -> None:
    """Replace each derived node that is an equal copy of another node of the run by that node.

    A composed run holds such a node once. Its record holds two copies, and so does a run that is read from the record.
    """
    with _deriving(root):
        for _, node in list(walk(root)):
            for name in node._derived:
                held = vars(node).get(name)
                if isinstance(held, CN):
                    with contextlib.suppress(CNError):
                        own = getattr(type(node), name).__get__(node, type(node))
                        vars(node)[name] = own if same(own, held) else held


def _derive(node: CN, name: str, address: str) -> None:
    value = getattr(node, name)
    try:
        vars(node)[name] = cast("dict[str, Kind]", resolve(type(node)))[name].accept(value)
    except Mismatch as error:
        why = f"{address} is {error}, but it is derived as {short(repr(value))}"
        raise UserError(lines(why, where(type(node), name))) from None
    object.__setattr__(node, "_derived", node._derived | {name})


def _deriving(root: CN) -> contextlib.AbstractContextManager[None]:
    return deriving(root, lambda node: next((address for address, each in walk(root) if each is node), ""))
