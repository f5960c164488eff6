"""Fields that were renamed, moved or added, and classes that were: old records load, and runs keep their hash.

    hidden: Annotated[int, Was("hidden_dim")] = 128         # a field that had another name
    mixup: Annotated[float, Neutral()] = 0.0                # a new field; the default is what was done before
    _moved_ = {"label_smoothing": "task.label_smoothing"}   # a field that belongs to a child node now
    _was_ = ("models.old.Vit",)                             # a class that had another name, or another file

Each of these may stand in any class of a run. The default of a neutral field is that of the class that notes it.
"""
# pyright: reportPrivateUsage=false
# (_fields and _notes belong to cn; no user field may have these names)

from __future__ import annotations

import functools
from dataclasses import MISSING
from typing import Any, cast

from cn.errors import DefinitionError, lines
from cn.nodes.derived import Derived
from cn.nodes.field_types import Child, Kind
from cn.nodes.node import CN
from cn.nodes.notes import Neutral, Was
from cn.nodes.resolving import old_names, resolve
from cn.nodes.to_json import CLASS, DERIVED, plain
from cn.nodes.traversal import NodeType, values

Record = dict[str, Any]


@functools.cache
def neutral(cls: Any) -> dict[str, Any]:
    """Return the new fields of a class that change no hash, with the defaults at which they do not, in JSON form."""
    resolve(cls)
    found: dict[str, Any] = {}
    for name, notes in cast("dict[str, tuple[Any, ...]]", cls._notes).items():
        if any(isinstance(note, Neutral) for note in notes):
            found[name] = _before(cls, name)
    return found


def _before(cls: Any, name: str) -> Any:
    """Return the default of a neutral field in the class that notes it, in JSON form."""
    home = next(base for base in cls.__mro__ if isinstance(base, NodeType) and name in cast("Any", base)._noted)
    field = home._fields[name]
    default = field.default if field.default_factory is MISSING else field.default_factory()
    if isinstance(default, CN):
        return _given(before(default, plain(default)))
    if default is MISSING or isinstance(default, Derived):
        what = f"{home.__name__}.{name} is Neutral(), and has no default that says what was done before"
        raise DefinitionError(lines(what, "write: a plain default, or no Neutral()"))
    return cast("dict[str, Kind]", resolve(home))[name].plain(default)


def former_class(cls: type) -> str:
    """Return the class as its oldest records name it: `models.vit:Vit`."""
    names = former_classes(cls)
    return names[-1] if names else f"{cls.__module__}:{cls.__qualname__}"


def former_classes(cls: type) -> tuple[str, ...]:
    """Return the old names in `_was_`, the newest first, as records write them: `models.old.Vit` is models.old:Vit."""
    told: Any = vars(cls).get("_was_", ())
    if not (isinstance(told, tuple) and all(isinstance(each, str) for each in cast("tuple[Any, ...]", told))):
        raise DefinitionError(f'{cls.__name__}._was_ is {told!r}: write _was_ = ("models.old.Vit",)')
    each_one = cast("tuple[str, ...]", told)
    return tuple(each if ":" in each else ":".join(each.rsplit(".", 1)) for each in each_one)


def current(cls: Any, record: Record) -> Record:
    """Return the record of a class with each field under the name and at the place that it has now."""
    names = {old: new for old, new in old_names(cls).items() if old in record and new not in record}
    if names:
        record = {names.get(name, name): value for name, value in record.items()}
        if DERIVED in record:
            derived = cast("list[str]", record[DERIVED])
            record[DERIVED] = sorted(names.get(name, name) for name in derived)
    gone = {name: place for name, place in _places(cls).items() if name in record}
    if not gone:
        return record
    found = {name: value for name, value in record.items() if name not in gone}
    for name, (child, field) in gone.items():
        found[child] = {**cast("Record", found.get(child) or plain(_default(cls, child))), field: record[name]}
    return found


def before(node: CN, record: Record) -> Record:
    """Return the record of a node in its oldest form, if that form can express it.

    In that form, neutral fields at their defaults are absent, and fields and classes have their oldest names. The child
    node that received moved fields is absent too, if it is the class's default otherwise. A run that existed then gets
    the hash that it had.
    """
    kinds, found = cast("dict[str, Kind]", resolve(type(node))), dict(record)
    for name, child in values(node).items():
        if isinstance(kinds[name], Child) and child is not None:
            nodes = cast("dict[str, CN]", child)
            several = isinstance(child, dict)
            found[name] = (
                {key: before(each, record[name][key]) for key, each in nodes.items()}
                if several
                else before(cast("CN", child), record[name])
            )
    new, cls = neutral(type(node)), cast("Any", type(node))
    found = {name: value for name, value in found.items() if name not in new or _given(value) != new[name]}
    for child in {child for child, _ in _places(cls).values()}:
        gone = {
            name: oldest(type(getattr(node, child)), field)
            for name, (home, field) in _places(cls).items()
            if home == child
        }
        default = _default(cls, child)
        now, usual = _given(found[child]), _given(before(default, plain(default)))
        rest, others = ({k: v for k, v in each.items() if k not in gone.values()} for each in (now, usual))
        if rest == others and all(field in now for field in gone.values()):  # another option may lack the field
            del found[child]
            found |= {name: now[field] for name, field in gone.items()}
    names = {name: oldest(cls, name) for name in found}
    found = {names[name]: value for name, value in found.items()}
    if DERIVED in found:
        found[DERIVED] = sorted(oldest(cls, name) for name in found[DERIVED])
    if CLASS in found:
        found[CLASS] = former_class(cls)
    return found


def oldest(cls: Any, name: str) -> str:
    """Return the oldest name of a field."""
    notes = cast("tuple[Any, ...]", cls._notes.get(name, ()))
    return next((note.names[-1] for note in notes if isinstance(note, Was)), name)


def _places(cls: Any) -> dict[str, tuple[str, str]]:
    """Map each moved field to its new place: the child node's attribute and the field there."""
    return {name: cast("Any", tuple(place.split("."))) for name, place in getattr(cls, "_moved_", {}).items()}


def _default(cls: Any, child: str) -> Any:
    return cls._fields[child].default_factory()


def _given(record: Any) -> Any:
    """Return the record without derived values; a plain value is returned unchanged."""
    if not isinstance(record, dict):
        return record
    given = cast("Record", record)
    derived = given.get(DERIVED, [])
    return {name: value for name, value in given.items() if name != DERIVED and name not in derived}
