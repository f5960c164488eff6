"""`CN`, the base class of every node, and `CNMeta`, which makes each node class a dataclass and registers it."""
# pyright: reportPrivateUsage=false
# (_fields, _kinds, _derived and _late belong to cn; no user field may have these names. Python offers _getframe)

from __future__ import annotations

import copy
import dataclasses
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast, dataclass_transform

from cn.discovery import registry
from cn.discovery.source import own_annotations, where
from cn.errors import DefinitionError, FrozenError, MissingValueError, UserError, hint, lines, short
from cn.nodes.annotations import hashable
from cn.nodes.class_body import refuse, refuse_bases
from cn.nodes.derived import Derived, Fallback, Nested, as_derived, computed, derives
from cn.nodes.field_types import Kind, Mismatch, same
from cn.nodes.resolving import by_key, copier, old_names, resolve
from cn.nodes.traversal import NodeType, is_field, values

NONE: Mapping[str, Derived] = {}


@dataclass_transform(kw_only_default=True, eq_default=True, field_specifiers=(dataclasses.field,))
class CNMeta(NodeType):
    """Makes a class body a keyword-only dataclass, refuses what cannot work, and registers the class by its path."""

    def __new__(mcls, name: str, bases: tuple[type, ...], body: dict[str, Any], **options: Any) -> Any:
        root = not any(isinstance(base, CNMeta) for base in bases)
        refuse_bases(name, bases, body, mcls)
        cls: Any = super().__new__(mcls, name, bases, body, **options)
        if root:
            dataclasses.dataclass(init=False, eq=False, repr=False)(cls)
            cls._fields = cls._kinds = cls._notes = cls._noted = cls._keys = {}
            cls._nodes = ()
            return cls
        cls._scope = dict(sys._getframe(1).f_locals) if "<locals>" in cls.__qualname__ else {}
        annotations = own_annotations(cls)
        refuse(cls, body, annotations)
        for field, annotation in annotations.items():
            default = cls.__dict__.get(field)
            if "ClassVar" in str(annotation):
                continue
            if (derived := as_derived(default)) is not None:
                derived = copy.copy(derived)  # one object may be the default of several fields
                setattr(cls, field, derived)
                derived.__set_name__(cls, field)
            elif isinstance(default, CN) or not hashable(default):
                setattr(cls, field, dataclasses.field(default_factory=copier(default)))
        doc = cls.__doc__
        cls.__doc__ = doc or name  # without a docstring, dataclass would compute a signature, which is slow
        try:
            dataclasses.dataclass(init=False, eq=False, repr=False, kw_only=True)(cls)
        except (TypeError, ValueError) as error:
            raise DefinitionError(f"{name} cannot be made: {error}", where(cls)) from None
        cls.__doc__ = doc
        cls._kinds = cls._nodes = None
        if len(bases) > 1:
            cls.__dataclass_fields__.update(_of_nearest(cls))
        cls._fields = {field.name: field for field in dataclasses.fields(cls)}
        resolve(cls, strict=False)
        registry.register(cls)
        return cls

    def __setattr__(cls, name: str, value: Any) -> None:
        if name == "__dataclass_params__" and "_fields" in cls.__dict__:
            what = f"{cls.__name__} is a node, which is a dataclass already"
            raise DefinitionError(what, "write: no @dataclass above it", where(cls))
        super().__setattr__(name, value)


def _of_nearest(cls: type[Any]) -> dict[str, dataclasses.Field[Any]]:
    """Return each field as the first class in the order of bases defines it.

    A dataclass merges whole bases, so that one which inherits a default would beat a later one which sets it.
    """
    found: dict[str, dataclasses.Field[Any]] = {}
    for base in reversed(cls.__mro__):
        fields = vars(base).get("__dataclass_fields__", {})
        found |= {name: fields[name] for name in own_annotations(base) if name in fields}
    return found


class CN(metaclass=CNMeta):
    """A node: a dataclass with keyword-only fields, chosen and changed from the command line.

    An assignment checks the value against the annotation. Nodes compare by value, and are frozen once composed.
    A subclass may define `check(self)`, which raises ValueError for values that do not go together.
    """

    __slots__ = ("__dict__", "__weakref__", "_derived", "_frozen", "_late")

    if TYPE_CHECKING:
        _fields: ClassVar[dict[str, dataclasses.Field[Any]]]
        _frozen: ClassVar[bool]
        _derived: ClassVar[frozenset[str]]  # fields whose value came from `derive` in the class
        _late: ClassVar[Mapping[str, Derived]]  # fields of the instance that are derived once the run is composed
    else:

        def __init__(self, /, *args, **values):
            cls = type(self)
            if args:
                given = ", ".join(f"{name}=..." for name in list(cls._fields)[: len(args)])
                raise UserError(f"{cls.__name__} takes its values by name: {cls.__name__}({given})", where(cls))
            object.__setattr__(self, "_frozen", False)
            object.__setattr__(self, "_derived", frozenset())
            object.__setattr__(self, "_late", NONE)
            kinds = resolve(cls, strict=False)
            if not values.keys() <= cls._fields.keys():
                names = {key: name for name, key in cls._keys.items()}
                values = {names.get(name, name): value for name, value in values.items()}
                for name in values:
                    if name not in cls._fields:
                        raise UserError(unknown_field(cls, name))
            own = self.__dict__
            for name, field in cls._fields.items():
                if name in values:
                    put(self, name, accept(cls, kinds[name], name, values[name]) if kinds else values[name])
                elif field.default_factory is not dataclasses.MISSING:
                    own[name] = field.default_factory()
                elif field.default is not dataclasses.MISSING and not isinstance(field.default, Derived):
                    own[name] = field.default

        def __getattr__(self, name):
            if name in type(self)._fields:
                if (late := self._late.get(name)) is not None:
                    return computed(self, name, late)
                what = f"{type(self).__name__}.{name} is required and has no value yet"
                raise MissingValueError(what, where(type(self), name))
            extra = self.__dict__.get("extra")
            if isinstance(extra, dict) and name in extra:  # `extra: dict[str, Any]` holds what has no field
                return extra[name]
            late = derives(self, "extra") if "extra" in type(self)._fields else None
            if isinstance(late, Nested) and name in late.template:
                return late.item(self, name)
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

        def __setattr__(self, name, value):
            cls = type(self)
            if self._frozen:
                caller = sys._getframe(1)
                what = f"{cls.__name__}.{name} cannot be set: a composed node is frozen"
                at = f"it was tried in {os.path.relpath(caller.f_code.co_filename)}:{caller.f_lineno}"
                raise FrozenError(what, at, f"make another with cn.compose(node, ['{name}=...'])")
            if name not in cls._fields and (name := by_key(cls).get(name, name)) not in cls._fields:
                raise UserError(unknown_field(cls, name))
            put(self, name, accept(cls, resolve(cls)[name], name, value))

        def __delattr__(self, name):
            raise FrozenError(f"{type(self).__name__}.{name} cannot be deleted: a node keeps all of its fields")

    def check(self) -> None:
        """Raise ValueError for values that do not go together; called once the whole run is composed."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and same(values(self), values(cast("CN", other)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in values(self).items())})"

    def __getstate__(self) -> Any:
        return self.__dict__, self._frozen, self._derived, *((self._late,) if self._late else ())

    def __setstate__(self, state: Any) -> None:
        object.__setattr__(self, "_frozen", state[1])
        object.__setattr__(self, "_derived", state[2])
        object.__setattr__(self, "_late", state[3] if len(state) > 3 else NONE)
        vars(self).update(state[0])

    def __replace__(self, /, **changes: Any) -> Self:
        return type(self)(**{**values(self), **self._late, **changes})


def put(node: CN, name: str, value: Any) -> None:
    """Set a field of a node to a value that its type accepts. A value that is derived is computed later."""
    own, derived = vars(node), as_derived(value)
    late = {key: each for key, each in node._late.items() if key != name}
    if derived is None:
        own[name] = value
    else:
        own.pop(name, None)
        late[name] = derived
        _unhide(type(node), name)
    if late or node._late:
        object.__setattr__(node, "_late", late)


def _unhide(cls: type[CN], name: str) -> None:
    """Replace the plain default of a class, which would hide an instance's derived value, by a Fallback."""
    home = next((base for base in cls.__mro__ if name in vars(base)), None)
    if home is not None and not isinstance(default := vars(home)[name], (Derived, Fallback)):
        setattr(home, name, Fallback(name, default))


def accept(cls: type[CN], kind: Kind, name: str, value: Any) -> Any:
    """Convert the value to the field's type; UserError, naming the class and the field, if it does not fit."""
    if isinstance(value, Derived):
        return value.template if isinstance(value, Nested) else value
    try:
        return kind.accept(value)
    except Mismatch as error:
        raise UserError(f"{cls.__name__}.{name} is {error}, not {short(repr(value))}", where(cls, name)) from None


def unknown_field(cls: type[CN], name: str) -> str:
    now = old_names(cls).get(name) if resolve(cls, strict=False) else None
    what = f"{cls.__name__} has no field {name!r}" + (f": it is called {now} now" if now else "")
    return lines(what, where(cls), f"write: {now}=..." if now else hint(name, filter(is_field, cls._fields)))
