"""`CN`, the class that every node subclasses, and `CNMeta`, which makes each of them a dataclass and registers it."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import types
from abc import ABCMeta
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast, dataclass_transform

from cn import registry, source
from cn.errors import (
    CNError,
    DefinitionError,
    FrozenError,
    MissingValueError,
    UserError,
    hint,
    lines,
)
from cn.kinds import Child, Kind, Mismatch, kind_of, same

T = TypeVar("T")
TARGET = {
    "_target_": "str",
    "_partial_": "bool",
}  # Hydra's own names; the only fields with an underscore
RESERVED = {"hydra": "Hydra's own configuration", "defaults": "the defaults list"}
WRAPPED = (types.FunctionType, property, classmethod, staticmethod)


class Derived:
    """A default that is worked out from the run once everything else is known; see `derive`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.arguments = function.__code__.co_argcount if isinstance(function, types.FunctionType) else 1

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, node: CN | None, owner: type) -> Any:
        """The value, of a node that is not composed with the node itself as the run."""
        if node is None:
            return self
        if any(each is node and name == self.name for each, name in _active):
            circle = " -> ".join(f"{type(each).__name__}.{name}" for each, name in [*_active, (node, self.name)])
            raise UserError(f"values are derived in a circle: {circle}")
        _active.append((node, self.name))
        try:
            return self.function(*(_roots[-1] if _roots else node, node)[: self.arguments])
        except CNError:
            raise
        except Exception as error:
            why = f"{type(node).__name__}.{self.name} cannot be derived: {type(error).__name__}: {error}"
            raise UserError(lines(why, where(type(node), self.name), f"to give it: {self.name}=VALUE")) from error
        finally:
            _active.pop()


_roots: list[CN] = []  # the run that is being composed
_active: list[tuple[CN, str]] = []  # what is being derived


@contextlib.contextmanager
def deriving(root: CN) -> Iterator[None]:
    """Within it, derived fields are worked out from this run."""
    _roots.append(root)
    try:
        yield
    finally:
        _roots.pop()


def derive(function: Callable[..., T]) -> T:
    """A default worked out in Python: `warmup: int = derive(lambda run: run.steps // 20)`.

    `function` is called with the whole composed run, and with the node that holds the field if it takes two arguments.
    A value that is given, in a class, in Python or on the command line, wins.
    """
    return cast("T", Derived(function))


@dataclass_transform(kw_only_default=True, eq_default=True, field_specifiers=(dataclasses.field,))
class CNMeta(ABCMeta):
    """Makes a class body into a keyword-only dataclass, refuses what cannot work, and registers the class by its path."""

    if TYPE_CHECKING:
        _scope: dict[str, Any]
        _kinds: dict[str, Kind] | None

    def __new__(mcls, name: str, bases: tuple[type, ...], body: dict[str, Any], **options: Any) -> Any:
        root = not any(isinstance(base, CNMeta) for base in bases)
        cls: Any = super().__new__(mcls, name, bases, body, **options)
        if root:
            cls._fields = {}
            return dataclasses.dataclass(init=False, eq=False, repr=False)(cls)
        cls._scope = dict(sys._getframe(1).f_locals) if "<locals>" in cls.__qualname__ else {}
        annotations = own_annotations(cls)
        _refuse(cls, body, annotations)
        for field in annotations:
            default = cls.__dict__.get(field)
            if isinstance(default, (CN, list, dict)):
                setattr(cls, field, dataclasses.field(default_factory=_copier(default)))
        doc = cls.__doc__
        cls.__doc__ = doc or name  # without one, dataclass would work out a signature, which is slow
        dataclasses.dataclass(init=False, eq=False, repr=False, kw_only=True)(cls)
        cls.__doc__ = doc
        cls._fields = {field.name: field for field in dataclasses.fields(cls)}
        cls._kinds = None
        kinds = resolve(cls, strict=False)
        for field in annotations:
            if kinds and field in kinds:
                _check_default(cls, cls._fields[field], kinds[field])
        registry.register(cls)
        return cls


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
        self.__dict__.update(state[0])

    def __replace__(self, /, **changes: Any) -> Self:
        return type(self)(**{**values(self), **changes})


def values(node: CN) -> dict[str, Any]:
    """The fields of a node that have a value, in the order in which they are declared."""
    return {name: node.__dict__[name] for name in type(node)._fields if name in node.__dict__}


def children(node: CN) -> Iterator[tuple[str, CN]]:
    """The nodes that a node holds, with their address relative to it."""
    for name, value in values(node).items():
        if isinstance(value, CN):
            yield name, value
        elif isinstance(value, dict):
            for key, item in cast("dict[str, Any]", value).items():
                if isinstance(item, CN):
                    yield f"{name}.{key}", item


def walk(node: CN, address: str = "") -> Iterator[tuple[str, CN]]:
    """The node and all below it, with addresses, parents first."""
    yield address, node
    for name, child in children(node):
        yield from walk(child, f"{address}.{name}" if address else name)


def thaw(value: Any) -> Any:
    """A copy that can be changed: of a node and of all it holds."""
    if isinstance(value, CN):
        copy = object.__new__(type(value))
        copy.__setstate__(({k: thaw(v) for k, v in value.__dict__.items()}, False, value._derived))
        return copy
    if isinstance(value, list):
        return [thaw(item) for item in cast("list[Any]", value)]
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


def own_annotations(cls: type) -> dict[str, Any]:
    """The annotations of this class body alone, unevaluated where they are strings."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF)
    return cls.__dict__.get("__annotations__", {})


def resolve(cls: CNMeta, *, strict: bool = True) -> dict[str, Kind] | None:
    """The kind of each field; None where a name in an annotation is not defined yet and `strict` is off."""
    if cls._kinds is not None:
        return cls._kinds
    kinds: dict[str, Kind] = {}
    for base in reversed(cls.__mro__):
        if not isinstance(base, CNMeta) or base is CN:
            continue
        if base is not cls and base._kinds is not None:
            kinds |= base._kinds
            continue
        for name, annotation in own_annotations(base).items():
            if name not in cls._fields:
                continue  # ClassVar
            try:
                kinds[name] = kind_of(annotation, _evaluator(base), CN)
            except NameError as error:
                if not strict:
                    return None
                raise DefinitionError(
                    lines(
                        f"{base.__name__}.{name} is annotated with a name that is not defined: {error}",
                        where(base, name),
                    )
                ) from None
            except DefinitionError as error:
                raise DefinitionError(lines(f"{base.__name__}.{name} {error}", where(base, name))) from None
    cls._kinds = kinds
    return kinds


def accept(cls: type[CN], kind: Kind, name: str, value: Any) -> Any:
    """The value as the field holds it, or one error that names the class and the field."""
    try:
        return kind.accept(value)
    except Mismatch as error:
        raise UserError(lines(f"{cls.__name__}.{name} is {error}, not {value!r}", where(cls, name))) from None


def unknown_field(cls: type[CN], name: str) -> str:
    return lines(
        f"{cls.__name__} has no field {name!r}",
        where(cls),
        hint(name, filter(is_field, cls._fields)),
    )


def where(cls: type, field: str | None = None) -> str:
    """Where a class, or the class that gave it a field, is written: `defined in models/vit.py:12`."""
    owner = next((b for b in cls.__mro__ if field in b.__dict__.get("__annotations__", {})), cls) if field else cls
    return f"defined in {source.place(owner, field)}"


def _evaluator(cls: Any) -> Callable[[str], Any]:
    scope = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}
    return lambda text: eval(text, scope, {**vars(cls).get("_scope", {})})


def _copier(default: Any) -> Callable[[], Any]:
    return lambda: thaw(default)


def _refuse(cls: type, body: dict[str, Any], annotations: dict[str, Any]) -> None:
    """What a class body may not hold, each with what to write instead."""

    def stop(name: str, what: str, instead: str) -> None:
        raise DefinitionError(lines(f"{cls.__name__}.{name} {what}", f"write: {instead}", where_line(name)))

    def where_line(name: str) -> str:
        return f"defined in {source.place(cls, name)}"

    for name in ("__init__", "__post_init__", "__slots__"):
        if name in body:
            stop(
                name,
                "cannot be defined: fields are all there is",
                "def check(self) to check values, derive(...) to work them out",
            )
    for name in RESERVED.keys() & annotations.keys():
        stop(
            name,
            f"cannot be a field: the name belongs to {RESERVED[name]}",
            f"another name, such as {name}_: ...",
        )
    for name, annotation in annotations.items():
        text = annotation if isinstance(annotation, str) else str(annotation)
        if name.startswith("_") and name not in TARGET and "ClassVar" not in text:
            stop(
                name,
                "cannot be a field: it begins with an underscore",
                f"{name}: ClassVar[...] for a constant, {name.lstrip('_')}: ... for a field",
            )
        if "InitVar" in text:
            stop(name, "cannot be an InitVar: a node is its values", f"{name}: the type itself")
    for name, value in body.items():
        if name.startswith("_") or name in annotations or isinstance(value, WRAPPED):
            continue
        if isinstance(value, type) and not isinstance(value, CNMeta):
            continue
        if isinstance(value, CNMeta):
            stop(
                name,
                "is a node inside a node: a path could not name it",
                f"class {name} at the top of the file",
            )
        if callable(value) and not isinstance(value, CN):
            continue
        known = next(
            (
                own_annotations(base)[name]
                for base in cls.__mro__[1:]
                if isinstance(base, CNMeta) and name in own_annotations(base)
            ),
            None,
        )
        kind = (
            known
            if isinstance(known, str)
            else getattr(known, "__name__", str(known))
            if known
            else type(value).__name__
        )
        stop(name, "has no annotation, so it would not be a field", f"{name}: {kind} = {value!r}")


def _check_default(cls: type[CN], field: dataclasses.Field[Any], kind: Kind) -> None:
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    elif field.default is dataclasses.MISSING or isinstance(field.default, Derived):
        return
    else:
        default = field.default
    try:
        value = kind.accept(default)
    except Mismatch as error:
        raise DefinitionError(
            lines(
                f"{cls.__name__}.{field.name} is {error}, but its default is {default!r}",
                where(cls, field.name),
            )
        ) from None
    if field.default_factory is dataclasses.MISSING and value is not default and not isinstance(kind, Child):
        field.default = value  # an int given for a float
        setattr(cls, field.name, value)
