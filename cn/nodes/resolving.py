"""The field types of a node class, from its annotations."""
# pyright: reportPrivateUsage=false

from __future__ import annotations

import dataclasses
import functools
import sys
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from cn.discovery.source import own_annotations, place, where
from cn.discovery.typable import KEY, better
from cn.errors import DefinitionError, short
from cn.nodes.annotations import kind_of, written
from cn.nodes.derived import Derived, Nested
from cn.nodes.field_types import Bundled, Child, Kind, Mismatch, same
from cn.nodes.notes import Key, Note, Was, notes_of
from cn.nodes.ranges import inherited
from cn.nodes.redeclared import narrows
from cn.nodes.traversal import NodeType, default_of, thaw

if TYPE_CHECKING:
    from cn.nodes.node import CN


def resolve(cls: NodeType, *, strict: bool = True) -> dict[str, Kind] | None:
    """Return the type of each field; None if an annotation has an undefined name and `strict` is off.

    Raises DefinitionError for an unsupported annotation, and for a default of the wrong type.
    """
    if cls._kinds is not None:
        return cls._kinds
    kinds: dict[str, Kind] = {}
    notes: dict[str, tuple[Note, ...]] = {}
    for base in reversed(cls.__mro__[1:]):
        if isinstance(base, NodeType):
            above = resolve(base, strict=strict)
            if above is None:
                return None
            defined = own_annotations(base)
            kinds |= {name: kind for name, kind in above.items() if name in defined}
            notes |= base._noted
    own: dict[str, Kind] = {}
    noted: dict[str, tuple[Note, ...]] = {}
    evaluate = _evaluator(cls)
    for name, annotation in own_annotations(cls).items():
        if name not in cls._fields:
            continue  # ClassVar
        try:
            meant: Any = evaluate(annotation) if isinstance(annotation, str) else annotation
            own[name] = _redeclared(cls, name, kind_of(meant, evaluate), kinds.get(name))
            if found := notes_of(meant):
                noted[name] = found
        except (NameError, AttributeError) as error:
            if not strict:
                return None
            why = f"{cls.__name__}.{name} is annotated with a name that is not defined: {error}"
            instead = "write: its import outside of `if TYPE_CHECKING`, so that it is there when the program runs"
            raise DefinitionError(why, instead, where(cls, name)) from None
        except DefinitionError as error:
            raise DefinitionError(f"{cls.__name__}.{name} {error}", where(cls, name)) from None
        except Exception as error:
            why = f"{cls.__name__}.{name} has an annotation that cannot be read: {type(error).__name__}: {error}"
            raise DefinitionError(why, where(cls, name)) from None
    for name, kind in own.items():
        _check_default(cls, cls._fields[name], kind)
    cls._noted, cls._notes = noted, notes | noted
    keys = {name: note.text for name, each in cls._notes.items() for note in each if isinstance(note, Key)}
    _check_names(cls, keys)
    cls._keys = keys
    cls._kinds = {name: kind for name, kind in (kinds | own).items() if name in cls._fields}
    cls._nodes = tuple(name for name in cls._fields if isinstance(cls._kinds[name], Child))
    return cls._kinds


def _redeclared(cls: NodeType, name: str, own: Kind, base: Kind | None) -> Kind:
    """Return the type of a field that a class declares, perhaps anew. DefinitionError if `base` is of another type."""
    if base is not None and not narrows(own, base):
        above = next(each for each in cls.__mro__[1:] if name in own_annotations(each))
        said = f"is {own.name}, and {above.__name__} says {base.name} ({place(above, name)})"
        instead = f"write: {name}: {written(own_annotations(above)[name])}, a narrower type, or another name"
        raise DefinitionError(said, instead)
    return inherited(own, base)


def kinds_of(what: CN | NodeType) -> dict[str, Kind]:
    """Return the type of each field of a node or a node class. Raises DefinitionError as `resolve` does."""
    return cast("dict[str, Kind]", resolve(what if isinstance(what, NodeType) else type(what)))


def old_names(cls: NodeType) -> dict[str, str]:
    """Return the fields of a class by each of their old names: `Annotated[int, Was("old")]`."""
    resolve(cls)
    notes = cls._notes.items()
    return {old: name for name, each in notes for note in each if isinstance(note, Was) for old in note.names}


def by_key(cls: NodeType) -> dict[str, str]:
    """Return the fields whose key is not their name, by key: `Annotated[float, Key("Loss/value")]`."""
    resolve(cls)
    return {key: name for name, key in cls._keys.items()}


def _evaluator(cls: type) -> Callable[[str], Any]:
    scope = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}
    inside = {name: each for name, each in vars(cls).items() if isinstance(each, type)}
    names = {**vars(cls).get("_scope", {}), cls.__name__: cls, **inside}
    return lambda text: eval(_code(text), scope, names)


@functools.cache
def _code(text: str) -> types.CodeType:
    """Compile an annotation once for all classes that write it."""
    return compile(text.lstrip(" \t"), "<string>", "eval")


def copier(default: Any) -> Callable[[], Any]:
    """Return a function that makes a fresh copy of a default."""
    kept = thaw(default)
    return lambda: thaw(kept)


def _check_names(cls: NodeType, keys: dict[str, str]) -> None:
    """Raise DefinitionError if a key or an old name of a field is a field, or belongs to two."""
    for name, key in keys.items():
        if key in cls._fields or list(keys.values()).count(key) > 1:
            what = f"{cls.__name__}.{name} has the key {key!r}, which is that of another field too"
            raise DefinitionError(what, where(cls, name), "give one of them another key")
    taken: dict[str, str] = dict.fromkeys(cls._fields, "")
    for name, notes in cls._notes.items():
        for old in (old for note in notes if isinstance(note, Was) for old in note.names):
            if old in taken:
                other = f"an old name of {taken[old]} too" if taken[old] else "a field now"
                what = f"{cls.__name__}.{name} was {old!r}, which is {other}: a record could mean either"
                raise DefinitionError(what, where(cls, name), "give one of them another name")
            taken[old] = name


def _check_default(cls: NodeType, field: dataclasses.Field[Any], kind: Kind) -> None:
    given = default_of(field)
    default = given.template if isinstance(given, Nested) else given
    if default is dataclasses.MISSING or isinstance(default, Derived):
        return
    try:
        value = kind.accept(default)
    except Mismatch as error:
        why = f"{cls.__name__}.{field.name} is {error}, but its default is {short(repr(default))}"
        raise DefinitionError(why, where(cls, field.name), _instead(kind, field.name, default)) from None
    if isinstance(kind, Child) and isinstance(value, dict):
        for key in cast("dict[str, Any]", value):
            if not KEY.fullmatch(key):
                why = f"{cls.__name__}.{field.name} has a node called {short(repr(key))}, which cannot be typed"
                instead = f"write: {better(key)!r}, or another name of A-Z, a-z, 0-9, _ and -"
                raise DefinitionError(why, where(cls, field.name), instead)
    if same(value, default):
        return
    if isinstance(given, Nested):
        given.template = value
    elif field.default_factory is not dataclasses.MISSING:  # for example, ints were given for floats
        field.default_factory = copier(value)
    else:
        field.default = value
        setattr(cls, field.name, value)


def _instead(kind: Kind, name: str, default: Any) -> str | None:
    """Return what to write instead of a default of the wrong type, or None."""
    if not isinstance(kind, Child):
        return None
    if default is None:
        return f"write: {name}: {kind.name} | None = None"
    if isinstance(default, type) and issubclass(default, kind.types):
        return f"write: {default.__name__}()"
    if isinstance(default, Bundled) and not kind.many:
        return f"{default.of.__name__} is a bundle of several: inherit from it, or write dict[str, {kind.name}]"
    held = cast("dict[str, Any]", default).values() if kind.many and isinstance(default, dict) else ()
    if any(isinstance(each, Derived) for each in held):
        return f"write: {name}: {kind.name} = derive(lambda run: {{...}}), with all of its nodes"
    return None
