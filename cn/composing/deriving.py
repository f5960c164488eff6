"""Compute the derived fields of a whole run that have no given value."""
# pyright: reportPrivateUsage=false

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any, cast

from cn.discovery import discover
from cn.discovery.source import where
from cn.errors import CNError, UserError, short
from cn.nodes.derived import Deriving, derives, deriving
from cn.nodes.field_types import Child, Mismatch, same
from cn.nodes.node import CN, put
from cn.nodes.resolving import kinds_of
from cn.nodes.traversal import address_of, thaw, walk

DEEPEST = 50  # nodes within one another, below which none is derived


def derive_absent(root: CN, *passed: type[CNError]) -> dict[tuple[int, str], CNError]:
    """Compute each derived field that has no value; UserError if a computation fails.

    passed: errors that leave a field without a value. Returns them, by the id of the node and the field.
    """
    failed: dict[tuple[int, str], CNError] = {}
    for name in getattr(type(root), "_runs_", ()):  # a run that the root holds is the run of its own values
        if isinstance(inner := vars(root).get(name), CN):
            failed |= derive_absent(inner, *passed)
    with _deriving(root, keep=True):
        for _, node in walk(root):
            for name in type(node)._fields:
                try:
                    if derives(node, name) is not None:
                        getattr(node, name)
                except passed as error:
                    failed[id(node), name] = error
    return failed


def derive_one(root: CN, node: CN, name: str) -> None:
    """Compute one derived field and keep it as a given one: what is in it may be changed."""
    with _deriving(root, keep=True):
        value = thaw(getattr(node, name))
    put(node, name, value)
    object.__setattr__(node, "_derived", node._derived - {name})


def read_sources(root: CN) -> None:
    """Compute the derived values again and discard them, so that read tracking sees their sources."""
    with _deriving(root, keep=False):
        for _, node in walk(root):
            for name in node._derived:
                getattr(type(node), name).__get__(node, type(node))


def share_derived(root: CN) -> None:
    """Replace each derived node that is an equal copy of another node of the run by that node.

    A composed run holds such a node once. Its record holds two copies, and so does a run that is read from the record.
    """
    with _deriving(root, keep=False):
        for _, node in list(walk(root)):
            for name in node._derived:
                held = vars(node).get(name)
                if isinstance(held, CN):
                    with contextlib.suppress(CNError):
                        own = getattr(type(node), name).__get__(node, type(node))
                        vars(node)[name] = own if same(own, held) else held


@contextlib.contextmanager
def _deriving(root: CN, *, keep: bool) -> Generator[None]:
    """Context manager: compute derived fields from a run, which is frozen meanwhile.

    keep: a field that is computed keeps its value.
    """

    def place(node: CN) -> str:
        return next((address for address, each in walk(root) if each is node), "")

    def kept(node: CN, name: str, value: Any) -> Any:
        if not keep:
            return value
        kind = kinds_of(node)[name]

        def address() -> str:  # walks over the run
            return address_of(place(node), type(node), name)

        if isinstance(kind, Child) and address().count(".") >= DEEPEST:
            why = f"nodes are derived in one another without an end: {short(address())}"
            raise UserError(why, where(type(node), name), "write: a function that returns a node with given nodes")
        try:
            accepted = kind.accept(_chosen(kind, value) if isinstance(kind, Child) else value)
        except Mismatch as error:
            why = f"{address()} is {error}, but it is derived as {short(repr(value))}"
            raise UserError(why, where(type(node), name)) from None
        except UserError as error:
            raise UserError(f"{address()} cannot be derived: {error}", where(type(node), name)) from None
        if isinstance(kind, Child) and _holds(accepted, node):
            why = f"{address()} is derived as the node that holds it, which has no end"
            raise UserError(why, where(type(node), name), "write: a function that returns a part of that node")
        if name not in node._late:
            object.__setattr__(node, "_derived", node._derived | {name})
        put(node, name, accepted)
        return accepted

    changeable = [] if root._frozen else [node for _, node in walk(root) if not node._frozen]
    for node in changeable:
        object.__setattr__(node, "_frozen", True)
    try:
        with deriving(Deriving(root, place, kept)):
            yield
    finally:
        for node in changeable:
            object.__setattr__(node, "_frozen", False)


def _holds(value: Any, node: CN) -> bool:
    """Return whether a node is the value of a node field, or stands in it."""
    nodes = cast("dict[str, CN]", value).values() if isinstance(value, dict) else [] if value is None else [value]
    return any(each is node for one in nodes for _, each in walk(one))


def _chosen(kind: Child, value: Any) -> Any:
    """Return the node that a function returns, or that it names by its class or its option."""
    if kind.many and isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        return {key: _chosen(kind.replace(many=False), each) for key, each in table.items()}
    if kind.many and isinstance(value, list):
        return {name.replace("/", "_"): discover.find(kind.types, name)() for name in cast("list[str]", value)}
    if isinstance(value, str):
        return discover.find(kind.types, value, bundles=kind.many)()
    return value() if isinstance(value, type) and issubclass(value, kind.types) else value
