"""`CN`, the class that every node subclasses, and `CNMeta`, which makes each of them a dataclass and registers it."""
# pyright: reportPrivateUsage=false
# (_fields, _kinds and _derived belong to cn, and have names that no field may have; Python offers _getframe)

from __future__ import annotations

import dataclasses
import functools
import sys
import types
from abc import ABCMeta
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast, dataclass_transform

from cn import registry
from cn.annotations import hashable, kind_of
from cn.body import refuse, refuse_bases
from cn.derived import Derived
from cn.errors import DefinitionError, FrozenError, MissingValueError, UserError, hint, lines, short
from cn.kinds import Child, Kind, Mismatch, same
from cn.source import own_annotations, where
from cn.typable import KEY, better

T = TypeVar("T")


@dataclass_transform(kw_only_default=True, eq_default=True, field_specifiers=(dataclasses.field,))
class CNMeta(ABCMeta):
    """Makes a class body a keyword-only dataclass, refuses what cannot work, and registers the class by its path."""

    if TYPE_CHECKING:
        _scope: dict[str, Any]
        _kinds: dict[str, Kind] | None
        _fields: dict[str, dataclasses.Field[Any]]

    def __new__(mcls, name: str, bases: tuple[type, ...], body: dict[str, Any], **options: Any) -> Any:
        root = not any(isinstance(base, CNMeta) for base in bases)
        refuse_bases(name, bases, body, mcls)
        cls: Any = super().__new__(mcls, name, bases, body, **options)
        if root:
            dataclasses.dataclass(init=False, eq=False, repr=False)(cls)
            cls._fields = {}
            return cls
        cls._scope = dict(sys._getframe(1).f_locals) if "<locals>" in cls.__qualname__ else {}
        annotations = own_annotations(cls)
        refuse(cls, body, annotations)
        for field, annotation in annotations.items():
            default = cls.__dict__.get(field)
            if "ClassVar" in str(annotation):
                continue
            if isinstance(default, CN) or not hashable(default):
                setattr(cls, field, dataclasses.field(default_factory=_copier(default)))
        doc = cls.__doc__
        cls.__doc__ = doc or name  # without one, dataclass would work out a signature, which is slow
        try:
            dataclasses.dataclass(init=False, eq=False, repr=False, kw_only=True)(cls)
        except (TypeError, ValueError) as error:
            raise DefinitionError(lines(f"{name} cannot be made: {error}", where(cls))) from None
        cls.__doc__ = doc
        cls._kinds = None
        cls._fields = {field.name: field for field in dataclasses.fields(cls)}
        resolve(cls, strict=False)
        registry.register(cls)
        return cls

    def __setattr__(cls, name: str, value: Any) -> None:
        if name == "__dataclass_params__" and "_fields" in cls.__dict__:
            raise DefinitionError(
                lines(
                    f"{cls.__name__} is a node, which is a dataclass already",
                    "write: no @dataclass above it",
                    where(cls),
                )
            )
        super().__setattr__(name, value)


class CN(metaclass=CNMeta):
    """A node: a dataclass with keyword-only fields, chosen and changed from the command line.

    Its fields are checked against their annotations whenever they are set; it compares by value and is frozen once
    composed. A subclass may define `check(self)`, which raises ValueError for values that do not go together.
    """

    __slots__ = ("__dict__", "__weakref__", "_derived", "_frozen")

    if TYPE_CHECKING:
        _fields: ClassVar[dict[str, dataclasses.Field[Any]]]
        _frozen: ClassVar[bool]
        _derived: ClassVar[frozenset[str]]  # fields whose value came from `derive`
    else:

        def __init__(self, *args, **values):
            cls = type(self)
            if args:
                given = ", ".join(f"{name}=..." for name in list(cls._fields)[: len(args)])
                raise UserError(
                    lines(
                        f"{cls.__name__} takes its values by name: {cls.__name__}({given})",
                        where(cls),
                    )
                )
            object.__setattr__(self, "_frozen", False)
            object.__setattr__(self, "_derived", frozenset())
            for name in values:
                if name not in cls._fields:
                    raise UserError(unknown_field(cls, name))
            kinds = resolve(cls, strict=False)
            own = self.__dict__
            for name, field in cls._fields.items():
                if name in values:
                    own[name] = accept(cls, kinds[name], name, values[name]) if kinds else values[name]
                elif field.default_factory is not dataclasses.MISSING:
                    own[name] = field.default_factory()
                elif field.default is not dataclasses.MISSING and not isinstance(field.default, Derived):
                    own[name] = field.default

        def __getattr__(self, name):
            if name in type(self)._fields:
                raise MissingValueError(
                    lines(
                        f"{type(self).__name__}.{name} is required and has no value yet",
                        where(type(self), name),
                    )
                )
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

        def __setattr__(self, name, value):
            cls = type(self)
            if self._frozen:
                raise FrozenError(
                    f"{cls.__name__}.{name} cannot be set: a composed node is frozen; "
                    f"make another with dataclasses.replace(node, {name}=...)"
                )
            if name not in cls._fields:
                raise UserError(unknown_field(cls, name))
            self.__dict__[name] = accept(cls, resolve(cls)[name], name, value)

        def __delattr__(self, name):
            raise FrozenError(f"{type(self).__name__}.{name} cannot be deleted: a node keeps all of its fields")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and same(values(self), values(cast("CN", other)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in values(self).items())})"

    def __getstate__(self) -> Any:
        return self.__dict__, self._frozen, self._derived

    def __setstate__(self, state: Any) -> None:
        object.__setattr__(self, "_frozen", state[1])
        object.__setattr__(self, "_derived", state[2])
        vars(self).update(state[0])

    def __replace__(self, /, **changes: Any) -> Self:
        return type(self)(**{**values(self), **changes})


def values(node: CN) -> dict[str, Any]:
    """The fields of a node that have a value, in the order in which they are declared."""
    own = node.__dict__
    return {name: own[name] for name in type(node)._fields if name in own}


def children(node: CN) -> Iterator[tuple[str, CN]]:
    """The nodes that a node holds, with their address relative to it."""
    own = node.__dict__
    for name in type(node)._fields:
        value = own.get(name)
        if value is not None and isinstance(type(value), CNMeta):  # isinstance(value, CN) asks abc: ten times as long
            yield name, value
        elif isinstance(value, dict):
            for key, item in cast("dict[str, Any]", value).items():
                if isinstance(type(item), CNMeta):
                    yield f"{name}.{key}", item


def walk(node: CN, address: str = "") -> Iterator[tuple[str, CN]]:
    """The node and all below it, with addresses, parents first."""
    yield address, node
    for name, child in children(node):
        yield from walk(child, f"{address}.{name}" if address else name)


SIMPLE = frozenset({int, float, str, bool, type(None)})


def thaw(value: Any) -> Any:
    """A copy that can be changed: of a node and of all it holds."""
    if isinstance(type(value), CNMeta):
        copy = object.__new__(value.__class__)
        own = {k: v if type(v) in SIMPLE else thaw(v) for k, v in value.__dict__.items()}
        copy.__setstate__((own, False, value._derived))
        return copy
    if isinstance(value, (list, tuple)):
        items = cast("list[Any] | tuple[Any, ...]", value)
        return type(items)(map(thaw, items))
    if isinstance(value, dict):
        return {key: thaw(item) for key, item in cast("dict[Any, Any]", value).items()}
    return value


def freeze(node: CN) -> None:
    """Let no field of the node, or of the nodes below it, be set again."""
    for _, each in walk(node):
        object.__setattr__(each, "_frozen", True)


def is_field(name: str) -> bool:
    """Whether a value of this name can be chosen; `_target_` belongs to the class."""
    return not name.startswith("_")


def resolve(cls: CNMeta, *, strict: bool = True) -> dict[str, Kind] | None:
    """The kind of each field; None where a name in an annotation is not defined yet and `strict` is off.

    Raises DefinitionError for an annotation that cannot work, and for a default that does not fit.
    """
    if cls._kinds is not None:
        return cls._kinds
    kinds: dict[str, Kind] = {}
    for base in reversed(cls.__mro__[1:]):
        if isinstance(base, CNMeta) and base is not CN:
            above = resolve(base, strict=strict)
            if above is None:
                return None
            kinds |= above
    own: dict[str, Kind] = {}
    evaluate = _evaluator(cls)
    for name, annotation in own_annotations(cls).items():
        if name not in cls._fields:
            continue  # ClassVar
        try:
            own[name] = kind_of(annotation, evaluate, CN)
        except (NameError, AttributeError) as error:
            if not strict:
                return None
            why = f"{cls.__name__}.{name} is annotated with a name that is not defined: {error}"
            instead = "write: its import outside of `if TYPE_CHECKING`, so that it is there when the program runs"
            raise DefinitionError(lines(why, instead, where(cls, name))) from None
        except DefinitionError as error:
            raise DefinitionError(lines(f"{cls.__name__}.{name} {error}", where(cls, name))) from None
        except Exception as error:
            why = f"{cls.__name__}.{name} has an annotation that cannot be read: {type(error).__name__}: {error}"
            raise DefinitionError(lines(why, where(cls, name))) from None
    for name, kind in own.items():
        _check_default(cls, cls._fields[name], kind)
    cls._kinds = kinds | own
    return cls._kinds


def accept(cls: type[CN], kind: Kind, name: str, value: Any) -> Any:
    """The value as the field holds it, or one error that names the class and the field."""
    try:
        return kind.accept(value)
    except Mismatch as error:
        raise UserError(
            lines(f"{cls.__name__}.{name} is {error}, not {short(repr(value))}", where(cls, name))
        ) from None


def unknown_field(cls: type[CN], name: str) -> str:
    return lines(
        f"{cls.__name__} has no field {name!r}",
        where(cls),
        hint(name, filter(is_field, cls._fields)),
    )


def _evaluator(cls: type) -> Callable[[str], Any]:
    scope = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}
    inside = {name: each for name, each in vars(cls).items() if isinstance(each, type)}
    names = {**vars(cls).get("_scope", {}), cls.__name__: cls, **inside}
    return lambda text: eval(_code(text), scope, names)


@functools.cache
def _code(text: str) -> types.CodeType:
    """An annotation, compiled once for all the classes that write it."""
    return compile(text.lstrip(" \t"), "<string>", "eval")


def _copier(default: Any) -> Callable[[], Any]:
    kept = thaw(default)
    return lambda: thaw(kept)


def _check_default(cls: CNMeta, field: dataclasses.Field[Any], kind: Kind) -> None:
    made = field.default_factory is not dataclasses.MISSING
    default = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
    if default is dataclasses.MISSING or isinstance(default, Derived):
        return
    try:
        value = kind.accept(default)
    except Mismatch as error:
        why = f"{cls.__name__}.{field.name} is {error}, but its default is {short(repr(default))}"
        raise DefinitionError(lines(why, where(cls, field.name))) from None
    if isinstance(kind, Child) and isinstance(value, dict):
        for key in cast("dict[str, Any]", value):
            if not KEY.fullmatch(key):
                why = f"{cls.__name__}.{field.name} has a node called {short(repr(key))}, which cannot be typed"
                instead = f"write: {better(key)!r}, or another name of A-Z, a-z, 0-9, _ and -"
                raise DefinitionError(lines(why, where(cls, field.name), instead))
    if same(value, default):
        return
    if made:  # ints given for floats
        field.default_factory = _copier(value)
    else:
        field.default = value
        setattr(cls, field.name, value)
