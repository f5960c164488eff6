"""Finish a node to which all overrides have been applied: derive values, freeze the node, and let it check itself."""
# pyright: reportPrivateUsage=false

from __future__ import annotations

import contextlib
from collections.abc import Container
from typing import cast

from cn.composing.deriving import derive_absent
from cn.discovery.source import where
from cn.errors import CNError, FrozenError, MissingValueError, UnfinishedError, UserError
from cn.nodes.derived import derives
from cn.nodes.field_types import Bundled, Child
from cn.nodes.node import CN
from cn.nodes.resolving import kinds_of
from cn.nodes.traversal import NodeType, address_of, is_field, walk


def finish(root: CN, *, partial: bool = False, keep: Container[int] = ()) -> None:
    """Check required fields, derive values, freeze and run `check()`. partial, keep: as in `compose` and `assemble`."""
    nodes = list(walk(root, skip=keep))
    lacking = [(address, node) for address, node in nodes if not type(node)._fields.keys() <= vars(node).keys()]
    unset = [(at, node, name) for at, node in lacking for name in type(node)._fields if name not in vars(node)]
    if unset:
        if not partial:
            _require(unset)
        for _, node in nodes:
            object.__setattr__(node, "_frozen", True)  # a function that derives a value can change none
        derive_absent(root, *((UnfinishedError,) if partial else ()))
        known = {id(node) for _, node in nodes}
        nodes = list(walk(root, skip=keep))
        if not partial:
            derived = [(address, node) for address, node in nodes if id(node) not in known]
            _require([(address, node, name) for address, node in derived for name in type(node)._fields])
    for _, node in reversed(nodes):
        kinds_of(node)  # an annotation with undefined names must be resolvable now
        for name in cast("NodeType", type(node))._nodes or ():
            if isinstance(held := vars(node).get(name), Bundled):
                vars(node)[name] = dict(held)
        object.__setattr__(node, "_frozen", True)
    for address, node in reversed(nodes):
        with contextlib.suppress(*((MissingValueError, UnfinishedError) if partial else ())):
            _check(node, f"{address}: " if address else "")


def _require(fields: list[tuple[str, CN, str]]) -> None:
    """Raise UserError for the first of these fields that is required and has no value."""
    missing = [
        (address_of(address, type(node), name), node, name)
        for address, node, name in fields
        if name not in vars(node) and is_field(name) and derives(node, name) is None
    ]
    if missing:
        key, node, name = missing[0]
        kind = kinds_of(node)[name]
        given = key.replace(".", "/") if isinstance(kind, Child) else key
        also = f"also required: {', '.join(key for key, *_ in missing[1:])}" if missing[1:] else None
        instead = f"write: {given}=... ({kind.name})"
        raise UserError(f"{key} is required and was not given", where(type(node), name), also, instead)


def _check(node: CN, subject: str) -> None:
    try:
        node.check()
    except FrozenError as error:
        instead = "check() refuses values, and sets none; to work one out: NAME: TYPE = derive(lambda run: ...)"
        raise error.within(f"{subject}{type(node).__name__} cannot be checked: ", instead) from None
    except CNError:
        raise
    except ValueError as error:
        raise UserError(f"{subject}{error}", f"{type(node).__name__} is {where(type(node))}") from None
    except Exception as error:
        why = f"{subject}{type(node).__name__} cannot be checked: {type(error).__name__}: {error}"
        raise UserError(why, where(type(node))) from error
