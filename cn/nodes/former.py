"""Renamed, moved and added fields, and renamed or moved classes: old records load, and runs keep their hash.

    hidden: Annotated[int, Was("hidden_dim")] = 128         # a field that had another name
    mixup: Annotated[float, Neutral()] = 0.0                # a new field; the default is what was done before
    _moved_ = {"label_smoothing": "task.label_smoothing"}   # a field that belongs to a child node now
    _was_ = ("models.old.Vit",)                             # a class that had another name, or another file

Each of these may stand in any class of a run. The default of a neutral field is read from the class that
writes `Neutral()`, not from a subclass.
"""
# pyright: reportPrivateUsage=false

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import MISSING
from typing import Any, NamedTuple, cast

from cn.errors import DefinitionError
from cn.nodes.derived import Derived
from cn.nodes.node import CN
from cn.nodes.notes import Neutral, Was
from cn.nodes.resolving import by_key, kinds_of, old_names, resolve
from cn.nodes.to_json import CLASS, DERIVED, Record, plain, renamed
from cn.nodes.traversal import NodeType, default_of


class Past(NamedTuple):
    """What a class says of its past."""

    name: str  # of the class in its oldest records: `models.vit:Vit`
    neutral: Record  # new fields -> their defaults, at which they change no hash, in JSON form
    moved: dict[str, dict[str, str]]  # child -> old field of this class -> field of the child
    names: dict[str, str]  # renamed fields -> their oldest names; fields with a key -> their keys


@functools.cache
def past(cls: Any) -> Past:
    """Return what a class says of its past."""
    resolve(cls)
    notes = cast("dict[str, tuple[Any, ...]]", cls._notes)
    former = former_classes(cls)
    moved: dict[str, dict[str, str]] = {}
    for old, place in cast("dict[str, str]", getattr(cls, "_moved_", {})).items():
        child, _, field = place.partition(".")
        if _check_moved(cls, old, child, field):
            moved.setdefault(child, {})[old] = field
    return Past(
        name=former[-1] if former else f"{cls.__module__}:{cls.__qualname__}",
        neutral={
            name: _before(cls, name) for name, each in notes.items() if any(isinstance(note, Neutral) for note in each)
        },
        moved=moved,
        names=cls._keys
        | {name: note.names[-1] for name, each in notes.items() for note in each if isinstance(note, Was)},
    )


def _check_moved(cls: Any, old: str, child: str, field: str) -> bool:
    """Return whether a class has the child node by default; DefinitionError if its own `_moved_` is wrong."""
    there = child in cls._nodes and cls._fields[child].default_factory is not MISSING
    if "_moved_" in vars(cls) and not (there and field in cast("Any", type(default_of(cls._fields[child])))._fields):
        what = f"{cls.__name__}._moved_ puts {old!r} at {f'{child}.{field}'!r}, which is no field of a child node"
        raise DefinitionError(what, 'write: {"old": "child.field"}, of a child that has a default')
    return there


def oldest(cls: Any, name: str) -> str:
    """Return the name of a field in its oldest records."""
    return past(cls).names.get(name, name)


def _before(cls: Any, name: str) -> Any:
    """Return the default of a neutral field in the class that notes it, in JSON form."""
    home = next(base for base in cls.__mro__ if isinstance(base, NodeType) and name in cast("Any", base)._noted)
    default = default_of(home._fields[name])
    if isinstance(default, CN):
        return _given(before(default, plain(default)))
    if default is MISSING or isinstance(default, Derived):
        what = f"{home.__name__}.{name} is Neutral(), and has no default that says what was done before"
        raise DefinitionError(what, "write: a plain default, or no Neutral()")
    return kinds_of(home)[name].plain(default)


def former_classes(cls: type) -> tuple[str, ...]:
    """Return the old names in `_was_`, the newest first, as records write them: `models.old.Vit` is models.old:Vit."""
    told: Any = vars(cls).get("_was_", ())
    if not (isinstance(told, tuple) and all(isinstance(each, str) for each in cast("tuple[Any, ...]", told))):
        raise DefinitionError(f'{cls.__name__}._was_ is {told!r}: write _was_ = ("models.old.Vit",)')
    each_one = cast("tuple[str, ...]", told)
    if wrong := next((each for each in each_one if "." not in each and ":" not in each), None):
        raise DefinitionError(f'{cls.__name__}._was_ names {wrong!r} without its module: write "models.old.{wrong}"')
    return tuple(each if ":" in each else ":".join(each.rsplit(".", 1)) for each in each_one)


def current(cls: Any, record: Record) -> Record:
    """Return a record with fields under their present names, and with fields that moved in the nodes that have them."""
    record = renamed(record, by_key(cls))
    record = renamed(record, {old: new for old, new in old_names(cls).items() if old in record and new not in record})
    gone = [
        (child, old, field)
        for child, fields in past(cls).moved.items()
        for old, field in fields.items()
        if old in record
    ]
    if not gone:
        return record
    olds = {old for _, old, _ in gone}
    found = {name: value for name, value in record.items() if name not in olds}
    derived = cast("list[str]", record.get(DERIVED, []))
    if DERIVED in found:
        found[DERIVED] = [name for name in derived if name not in olds]
    for child, old, field in gone:
        inner = {**cast("Record", found.get(child) or plain(default_of(cls._fields[child]))), field: record[old]}
        names = [name for name in cast("list[str]", inner.pop(DERIVED, [])) if name != field]
        names += [field] if old in derived else []
        found[child] = {**inner, **({DERIVED: names} if names else {})}
    return found


def before(node: CN, record: Record, known: Mapping[int, Record] | None = None) -> Record:
    """Return the record of a node in its oldest form, if that form can express it.

    In that form, neutral fields at their defaults are absent, and fields and classes have their oldest names. A child
    node that received moved fields is absent too, if its other fields are at their defaults. So a run from before the
    change keeps its hash.

    known: results by the id of a node, which become part of the new result.
    """
    if known and id(node) in known:
        return known[id(node)]
    cls, found = type(node), dict(renamed(record, by_key(cast("Any", type(node)))))
    told = past(cls)
    for name in cast("Any", cls)._nodes:
        child = vars(node).get(name)
        if isinstance(child, dict):
            nodes = cast("dict[str, CN]", child)
            found[name] = {key: before(each, found[name][key], known) for key, each in nodes.items()}
        elif child is not None:
            found[name] = before(child, found[name], known)
    for name, default in told.neutral.items():
        if name in found and _given(found[name]) == default:
            del found[name]
    for child, fields in told.moved.items():
        gone = {old: oldest(type(vars(node)[child]), field) for old, field in fields.items()}
        now = found[child]
        rest = {name: value for name, value in _given(now).items() if name not in gone.values()}
        if rest == _rest(cls, child) and all(field in now for field in gone.values()):  # another option may lack it
            del found[child]
            found |= {old: now[field] for old, field in gone.items()}
            derived = [old for old, field in gone.items() if field in now.get(DERIVED, [])]
            found |= {DERIVED: sorted([*found.get(DERIVED, []), *derived])} if derived else {}
    found = renamed(found, told.names)
    return {**found, CLASS: told.name}


@functools.cache
def _rest(cls: Any, child: str) -> Record:
    """Return the default of a child node in its oldest form, without the fields that were moved into it."""
    default = default_of(cls._fields[child])
    gone = [oldest(type(default), field) for field in past(cls).moved[child].values()]
    return {name: value for name, value in _given(before(default, plain(default))).items() if name not in gone}


def _given(record: Any) -> Any:
    """Return the record without derived values; a plain value is returned unchanged."""
    if not isinstance(record, dict):
        return record
    given = cast("Record", record)
    derived = given.get(DERIVED, [])
    return {name: value for name, value in given.items() if name != DERIVED and name not in derived}
