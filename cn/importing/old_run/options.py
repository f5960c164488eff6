"""Which class a mapping of an old run is now: the option that was chosen, else the target, else the keys."""
# pyright: reportPrivateUsage=false

from __future__ import annotations

import inspect
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, NamedTuple, cast

from cn.discovery import discover
from cn.discovery.registry import bears, key_of
from cn.errors import UserError
from cn.importing.families.names import attribute, slug
from cn.importing.old_run.texts import holds_text
from cn.nodes.derived import Derived
from cn.nodes.field_types import Kind, Mismatch, same
from cn.nodes.former import former_classes
from cn.nodes.node import CN
from cn.nodes.resolving import by_key, old_names, resolve
from cn.nodes.target import EXTRA
from cn.nodes.traversal import NodeType

TARGET = "_target_"


class Fit(NamedTuple):
    """How well a class fits a mapping; the smallest is the best."""

    other_target: bool
    lacking: int  # keys of which the class has no field
    not_chosen: bool
    absent: int  # fields of which the mapping has no key
    differing: int  # values that are not the default
    elsewhere: bool  # it is not the class of the node that is there


def best(
    types: tuple[Any, ...], mapping: Mapping[Any, Any], chosen: str | None, there: CN | None, *, is_group: bool
) -> type[CN] | None:
    """Return the class that fits best; None if none of these types has the target of the mapping.

    chosen: the option of the old run. there: the node that the holder has by default. is_group: whether the old run
    chose an option at this address, as far as that is known.
    """
    quick = [] if there is None or is_group else [type(there)]
    if chosen is not None:
        quick = [type(there)] if there is not None and is_called(type(there), chosen) else list(_called(types, chosen))
    for cls in quick:
        found = fit(cls, mapping, chosen, there)
        if not found.other_target and not found.lacking and not (found.absent and chosen is None):
            return cls
    every = _every(types, there)
    found = [(fit(cls, mapping, chosen, there), place, cls) for place, cls in enumerate(every)]
    if not found:
        return None
    first = min(found, key=lambda each: each[:2])
    return None if first[0].other_target else first[2]


def fit(cls: type[CN], mapping: Mapping[Any, Any], chosen: str | None, there: CN | None) -> Fit:
    """Compare a class with a mapping."""
    kinds = cast("dict[str, Kind]", resolve(cls))
    names = {key: name_of(cls, key) for key in mapping}
    given = {name: mapping[key] for key, name in names.items() if name is not None}
    own = set(kinds) - {EXTRA, TARGET, *(name for name in kinds if kinds[name].name.endswith("| None"))}
    return Fit(
        other_target=mapping.get(TARGET) not in targets(cls, there),
        lacking=sum(name is None for name in names.values()),
        not_chosen=chosen is not None and not is_called(cls, chosen),
        absent=len(own - set(given)),
        differing=sum(_differs(cls, kinds[name], name, value) for name, value in given.items()),
        elsewhere=there is not None and cls is not type(there),
    )


def name_of(cls: Any, key: Hashable) -> str | None:
    """Return the field that a key of YAML is now; None if there is none."""
    fields: dict[str, Any] = cls._fields
    if isinstance(key, str) and (found := current_name(cls, key)) is not None:
        return found
    name = attribute(str(key))
    return name if name in fields and name not in cast("NodeType", cls)._keys else None


def current_name(cls: Any, key: str) -> str | None:
    """Return the field that takes the value of a key in a record: one of that name, key or old name."""
    if key in cls._fields:
        return key
    moved = cast("dict[str, str]", getattr(cls, "_moved_", {})).get(key)
    return by_key(cls).get(key) or old_names(cls).get(key) or (moved and moved.partition(".")[0])


def is_called(cls: type, option: str) -> bool:
    """Return whether an import makes this class, or one that it inherits from or was before, of an option of Hydra."""
    wanted = "/".join(map(slug, option.split("/")))
    for base in cls.__mro__:
        if not isinstance(base, NodeType) or base is CN:
            continue
        key = key_of(base)
        if key is not None and _alike(key.option, wanted):
            return True
        if any(each.partition(":")[0].replace(".", "/").endswith(f"/{wanted}") for each in former_classes(base)):
            return True
        if key is not None:  # an option that inherits from another is not that option
            return False
    return False


def _alike(known: str, wanted: str) -> bool:
    """Return whether a name is the wanted one, or a variant that is not taken: `a/b_2`, `a_options/b`."""
    parts, others = known.split("/"), wanted.split("/")
    return len(parts) == len(others) and all(
        bears(one.removesuffix("_options"), other) or one.rpartition("_")[0] == other
        for one, other in zip(parts, others, strict=True)
    )


def _called(types: tuple[Any, ...], option: str) -> Iterator[type[CN]]:
    """Yield the class of the option's own name, for which only its file is imported."""
    try:
        yield cast("type[CN]", discover.find(types, "/".join(map(slug, option.split("/")))))
    except UserError:
        return


def _every(types: tuple[Any, ...], there: CN | None) -> list[type[CN]]:
    """Return all classes that a field may hold, private ones too, in an order that does not change."""
    known: list[Any] = [*([type(there)] if there is not None else []), *discover.options(types)[0].values()]
    rest = sorted(discover.imported(types), key=lambda cls: (cls.__module__, cls.__qualname__))
    return [cls for cls in dict.fromkeys([*known, *rest]) if not inspect.isabstract(cls)]


def targets(cls: type[CN], there: CN | None) -> tuple[Any, ...]:
    """Return the targets that a node of a class may have: that of the class, and that of the node that is there."""
    if TARGET not in cls._fields:
        return (None,)
    return cls._fields[TARGET].default, *([vars(there).get(TARGET)] if type(there) is cls else [])


def _differs(cls: type[CN], kind: Kind, name: str, value: Any) -> bool:
    """Return whether a plain value is not the default. A derived default equals each text with an interpolation."""
    field: Any = cls._fields[name]
    if isinstance(field.default, Derived) or holds_text(value):
        return not (isinstance(field.default, Derived) and holds_text(value))
    if isinstance(value, dict):
        return False
    default = field.default_factory() if callable(field.default_factory) else field.default
    try:
        return not same(kind.accept(value), default)
    except Mismatch:
        return True
