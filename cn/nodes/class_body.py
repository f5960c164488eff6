"""Rules for a class body, and what to write instead of the code that they refuse."""

from __future__ import annotations

import enum
import functools
from pathlib import Path
from typing import Any, NoReturn

from cn.discovery.source import own_annotations, place
from cn.discovery.typable import better
from cn.errors import DefinitionError, short
from cn.nodes.annotations import written
from cn.nodes.derived import Derived, Fallback

# Hydra's own names; no other field begins with an underscore
TARGET = {"_target_", "_partial_", "_args_", "_recursive_", "_convert_"}
RESERVED = {
    "hydra": "Hydra's own configuration",
    "defaults": "the defaults list",
    "check": "the method by which a node checks itself",
}
PLAIN: tuple[type[object], ...] = (bool, int, float, str, list, tuple, dict, Path, enum.Enum)


def refuse(cls: Any, body: dict[str, Any], annotations: dict[str, Any]) -> None:
    """Raise DefinitionError for the first statement of a class body that would not have the expected effect."""
    nodes: list[type[Any]] = [base for base in cls.__mro__[1:] if isinstance(base, type(cls))]
    for name in ("__init__", "__post_init__", "__slots__"):
        if name in body:
            instead = "def check(self) to check values, derive(...) to work them out"
            _stop(cls, name, "cannot be defined: fields are all there is", instead)
    for name, annotation in annotations.items():
        text = annotation if isinstance(annotation, str) else str(annotation)
        if "ClassVar" in text:
            continue
        if name in RESERVED:
            instead = f"another name, such as {name}_: ..."
            _stop(cls, name, f"cannot be a field: the name belongs to {RESERVED[name]}", instead)
        if name.startswith("_") and name not in TARGET:
            instead = f"{name}: ClassVar[...] for a constant, {name.strip('_')}: ... for a field"
            _stop(cls, name, "cannot be a field: it begins with an underscore", instead)
        if not name.isascii():
            _stop(cls, name, "cannot be a field: its name has letters that cannot be typed", f"{better(name)}: ...")
        if "InitVar" in text:
            _stop(cls, name, "cannot be an InitVar: a node is its values", f"{name}: the type itself")
        method = next((base for base in nodes if name in vars(base) and _is_method(vars(base)[name])), None)
        if method is not None:
            instead = f"another name, such as {name}_"
            _stop(cls, name, f"cannot be a field: it is a method of {method.__name__}", instead)
    for name, value in body.items():
        if name in TARGET and name not in annotations:
            _stop(cls, name, "has no annotation, so it would not be a field", _annotated(name, value, nodes))
        if name.startswith("_") or name in annotations or any(_is_constant(base, name) for base in nodes):
            continue
        if isinstance(value, type(cls)):
            instead = f"class {name} at the top of the file"
            _stop(cls, name, "is a node inside a node: a path could not name it", instead)
        if _is_method(value):
            if any(name in base._fields for base in nodes):
                _stop(cls, name, "cannot be a method: it is a field of a base class", "another name for the method")
            continue
        if not isinstance(value, type):
            _stop(cls, name, "has no annotation, so it would not be a field", _annotated(name, value, nodes))


def refuse_bases(name: str, bases: tuple[type, ...], body: dict[str, Any], node: type) -> None:
    """Raise DefinitionError for a base that is not a node and holds values, which would be no fields.

    node: the metaclass of nodes.
    """
    for base in bases:
        for each in () if isinstance(base, node) else base.__mro__[:-1]:
            known, own = own_annotations(each), vars(each)
            held = [*known, *(key for key, value in own.items() if not (_is_method(value) or isinstance(value, type)))]
            fields = [key for key in held if not key.startswith("_") and "ClassVar" not in str(known.get(key))]
            made = [key for key in ("__init__", "__new__", "__post_init__") if key in own]
            if fields and (not made or "__dataclass_fields__" in own):
                what = f"{name}.{fields[0]} would be no field: {each.__name__}, where it comes from, is no node"
                plain = ", without @dataclass" if "__dataclass_fields__" in own else ""
                instead = f"write: class {each.__name__}(CN){plain}; for a constant: {fields[0]}: ClassVar[...]"
                raise DefinitionError(what, instead, f"defined in {place(each, fields[0])}")
            if made or own.get("__slots__"):
                cls = type(name, (), {key: body[key] for key in ("__module__", "__qualname__")})
                what = f"{name} cannot have {each.__name__} as a base, which defines {(*made, '__slots__')[0]}"
                instead = "write: a base of methods alone; what it holds goes into fields"
                raise DefinitionError(what, instead, f"defined in {place(cls)}")


def _stop(cls: type, name: str, what: str, instead: str) -> NoReturn:
    raise DefinitionError(f"{cls.__name__}.{name} {what}", f"write: {instead}", f"defined in {place(cls, name)}")


def _is_constant(cls: type, name: str) -> bool:
    return "ClassVar" in str(own_annotations(cls).get(name))


def _is_method(value: object) -> bool:
    """Return whether Python binds the value to the instance: a function, a property, a cached property."""
    if isinstance(value, (Derived, Fallback, functools.partial)):  # a partial has a __get__ from Python 3.13 on
        return False
    return hasattr(type(value), "__get__")


def _annotated(name: str, value: Any, nodes: list[type[Any]]) -> str:
    """Return the corrected line, with the annotation of the base class if the base class has the field."""
    known = next((own_annotations(base)[name] for base in nodes if name in own_annotations(base)), None)
    plain = isinstance(value, PLAIN) or isinstance(type(value), type(nodes[0]))
    kind = written(known) if known is not None else type(value).__name__ if plain else "T"
    if isinstance(value, Derived):
        return f"{name}: {kind} = derive(...)"
    if value is None:
        return f"{name}: {kind if known is not None else 'T | None'} = None"
    return f"{name}: {kind} = {short(repr(value)) if plain else '...'}"
