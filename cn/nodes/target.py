"""Nodes with a target need no wrapper code: `_target_: str = "torch.optim.AdamW"`."""
# pyright: reportPrivateUsage=false

from __future__ import annotations

import builtins
import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any, cast

from cn.discovery.source import where
from cn.errors import UserError, hint, short
from cn.nodes.node import CN
from cn.nodes.traversal import NodeType, is_field, values

# Hydra's names with their defaults
FLAGS: dict[str, Any] = {"_partial_": False, "_args_": [], "_recursive_": True, "_convert_": "none"}
EXTRA = "extra"  # a field of a node, `extra: dict[str, Any] = {}`, that holds arguments which are no fields
CONVERT = ("none", "partial", "object", "all")


def locate(name: str) -> Any:
    """Import the object of a dotted name: the longest importable module, then attributes. UserError if it is absent."""
    parts = name.split(".")
    for depth in range(len(parts) - 1, 0, -1) if all(parts) else ():
        module = ".".join(parts[:depth])
        try:
            found: Any = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name and f"{module}.".startswith(f"{error.name}."):
                continue
            raise
        for part in parts[depth:]:
            if not hasattr(found, part):
                near = hint(part, filter(is_field, dir(found)))
                raise UserError(f"{name} does not exist: {module} has no {part!r}", near)
            found = getattr(found, part)
        return found
    what = f"no module is called {parts[0]!r}" if len(parts) > 1 or not parts[0] else "it names no module"
    instead = "install the package, or mend the name in `_target_`"
    raise UserError(f"{name} does not exist: {what}", f"write: builtins.{name}" if name in dir(builtins) else instead)


def _function(name: str) -> Callable[..., Any]:
    """Return the object of a dotted name; UserError if it does not exist or cannot be called."""
    found = locate(name)
    if not callable(found):
        raise UserError(f"{name} cannot be called: it is a {type(found).__name__}", "mend the name in `_target_`")
    return found


def instantiate(node: CN, *args: Any, **later: Any) -> Any:
    """Call the node's target with its fields and the late arguments. The other names of Hydra are honoured too:

    _partial_: return a `functools.partial` instead of calling.
    _args_: positional arguments; arguments of the call replace them.
    _recursive_: whether targets below are called first: those of child nodes, and those in lists and dicts.
    _convert_: "all" passes a child node without a target as a dict, unless _recursive_ is off; else the node is passed.
        It holds for all nodes below, except for those that say otherwise.
    Raises UserError if the target does not exist, or if one of these names has another value.
    """
    return instantiated(node, args, later, {})


def instantiated(node: CN, args: tuple[Any, ...], later: dict[str, Any], above: dict[str, Any]) -> Any:
    """Call the node's target. above: the flags that the node above hands on, such as `_convert_`."""
    given = {**above, **{name: getattr(node, name) for name in FLAGS if hasattr(node, name)}}
    fields = {name: value for name, value in values(node).items() if name != EXTRA}
    extra = cast("dict[str, Any]", getattr(node, EXTRA, None) or {})
    own = {**_keyed(node, fields), **extra, **given}
    return _called(target_of(node), own, args, later, where(type(node)))


def _called(target: str, own: dict[str, Any], args: tuple[Any, ...], later: dict[str, Any], place: str | None) -> Any:
    """Call a target with the fields of a node, or with the items of a dict that names a target."""
    flags = {**FLAGS, **{name: value for name, value in own.items() if name in FLAGS}}
    for name, value in flags.items():
        fits = value in CONVERT if name == "_convert_" else isinstance(value, type(FLAGS[name]))
        if not fits:
            expected = f"one of {', '.join(CONVERT)}" if name == "_convert_" else f"a {type(FLAGS[name]).__name__}"
            raise UserError(f"{target}: {name} is {expected}, not {short(repr(value))}", place)

    def build(value: Any) -> Any:
        return built(value, every=flags["_convert_"] == "all") if flags["_recursive_"] else value

    fields = {name: build(value) for name, value in own.items() if name not in (*FLAGS, "_target_")}
    positional = args or tuple(build(value) for value in flags["_args_"])
    call = _function(target)
    if flags["_partial_"]:
        return functools.partial(call, *positional, **{**fields, **later})
    return call(*positional, **{**fields, **later})


def target_of(node: CN | type[CN]) -> str:
    """Return the dotted name that a node builds; UserError if it has none."""
    cls = node if isinstance(node, type) else type(node)
    target = values(node).get("_target_") if isinstance(node, CN) else getattr(cls, "_target_", None)
    if not isinstance(target, str):
        what, instead = f"{cls.__name__} names no target", '_target_: str = "package.name"'
        if hasattr(cls, "build"):  # inherited, since it asks for the target
            what = f"{cls.__name__} does not define build(), and names no target"
            instead = f"def build(self, ...), or {instead}"
        raise UserError(what, where(cls), f"write: {instead}")
    return target


def check_target(cls: type[CN]) -> None:
    """Raise UserError if the target of a class does not exist, or lacks a parameter for one of the fields."""
    call = _function(target_of(cls))
    try:
        takes = dict(inspect.signature(call).parameters)
    except ValueError:  # of a class or function in C that does not say what it takes
        return
    for name in list(takes)[: len(getattr(cls(), "_args_", ()))]:
        if takes[name].kind is not inspect.Parameter.VAR_POSITIONAL:
            del takes[name]  # given by position
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in takes.values()):
        return
    for field in filter(is_field, cls._fields):
        if field == EXTRA:
            continue
        name = cast("NodeType", cls)._keys.get(field, field)
        if name not in takes or takes[name].kind is inspect.Parameter.POSITIONAL_ONLY:
            raise UserError(f"{target_of(cls)} takes no {name!r}", where(cls, field), hint(name, takes))


def built(value: Any, *, every: bool) -> Any:
    """Call the targets in a value, at any depth. every: child nodes without a target become dicts."""
    build = functools.partial(built, every=every)
    above = {"_convert_": "all"} if every else {}
    if isinstance(value, CN):
        if "_target_" in type(value)._fields:
            return instantiated(value, (), {}, above)
        return {name: build(item) for name, item in _keyed(value, values(value)).items()} if every else value
    if isinstance(value, dict):
        table = cast("dict[Any, Any]", value)
        if isinstance(target := table.get("_target_"), str):
            return _called(target, {**above, **{str(key): item for key, item in table.items()}}, (), {}, None)
        return {key: build(item) for key, item in table.items()}
    if isinstance(value, list):
        return [build(item) for item in cast("list[Any]", value)]
    return value


def _keyed(node: CN, fields: dict[str, Any]) -> dict[str, Any]:
    """Return values of a node under the keys of their fields."""
    keys = cast("NodeType", type(node))._keys
    return {keys.get(name, name): value for name, value in fields.items()}
