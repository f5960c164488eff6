"""Nodes with a target need no wrapper code: `_target_: str = "torch.optim.AdamW"`."""
# pyright: reportPrivateUsage=false
# (_fields belongs to cn; no user field may have that name)

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any, cast

from cn.discovery.source import where
from cn.errors import UserError, hint, lines
from cn.nodes.node import CN
from cn.nodes.traversal import is_field, values


def locate(name: str) -> Any:
    """Import the object of a dotted name: the longest importable module, then attributes. UserError if it does not
    exist.
    """
    parts = name.split(".")
    for depth in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:depth])
        try:
            found: Any = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name and f"{module}.".startswith(f"{error.name}."):
                continue
            raise
        for part in parts[depth:]:
            if not hasattr(found, part):
                raise UserError(
                    lines(
                        f"{name} does not exist: {module} has no {part!r}",
                        hint(part, filter(is_field, dir(found))),
                    )
                )
            found = getattr(found, part)
        return found
    raise UserError(
        lines(
            f"{name} does not exist: no module is called {parts[0]!r}",
            "install the package, or mend the name in `_target_`",
        )
    )


def instantiate(node: CN, *args: Any, **later: Any) -> Any:
    """Call the node's target with its fields and the late arguments; with `_partial_`, return a `functools.partial`.

    A child with a target of its own is built first; any other child is passed unchanged.
    """
    target = target_of(node)
    fields = {name: _build(value) for name, value in values(node).items() if is_field(name)}
    call: Callable[..., Any] = locate(target)
    if getattr(node, "_partial_", False):
        return functools.partial(call, *args, **{**fields, **later})
    return call(*args, **{**fields, **later})


def target_of(node: CN | type[CN]) -> str:
    """Return the dotted name that a node builds; UserError if it has none."""
    cls = node if isinstance(node, type) else type(node)
    target = values(node).get("_target_") if isinstance(node, CN) else getattr(cls, "_target_", None)
    if not isinstance(target, str):
        raise UserError(
            lines(
                f"{cls.__name__} names no target",
                where(cls),
                'write: _target_: str = "package.name"',
            )
        )
    return target


def check_target(cls: type[CN]) -> None:
    """Raise UserError if the target of a class does not exist, or lacks a parameter for one of the fields."""
    call = locate(target_of(cls))
    takes = inspect.signature(call).parameters
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in takes.values()):
        return
    for name in filter(is_field, cls._fields):
        if name not in takes or takes[name].kind is inspect.Parameter.POSITIONAL_ONLY:
            raise UserError(lines(f"{target_of(cls)} takes no {name!r}", where(cls, name), hint(name, takes)))


def _build(value: Any) -> Any:
    if isinstance(value, CN):
        return instantiate(value) if "_target_" in type(value)._fields else value
    if isinstance(value, dict):
        return {key: _build(item) for key, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list):
        return [_build(item) for item in cast("list[Any]", value)]
    return value
