"""Nested mappings that stand in several files with the same keys: one class with defaults, and instances of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cn.importing.classes.classes import Class, Default, Derived, Made, Plain, Required
from cn.importing.classes.comments import comments
from cn.importing.classes.maker import Maker
from cn.importing.defaults_lists.contents import Branch
from cn.importing.families.families import Families, Family


def share(maker: Maker, families: Families) -> None:
    """Put the values that all private classes of a family have into its contract, which replaces these classes.

    A class that holds nodes can follow once the classes of these are replaced.
    """
    members: dict[int, list[Class]] = {}
    for classes in maker.written.values():
        for cls in classes:
            members.setdefault(id(cls.family), []).append(cls)
    several = [
        (family, members[id(family)])
        for family in families.every()
        if len({cls.module for cls in members.get(id(family), [])}) > 1
    ]
    while ready := [each for each in several if _is_alike(each[0], families, each[1])]:
        for family, classes in ready:
            _replace(maker, family, classes)
        several = [each for each in several if each not in ready]


def _is_alike(family: Family, families: Families, classes: list[Class]) -> bool:
    if family.group is not None or family is families.run or family.extra or family.added:
        return False
    keys = set(classes[0].own)
    return bool(keys) and all(
        cls.bases == [family]
        and set(cls.own) == keys == set(cls.content.items)
        and all(_can_stand_in_a_contract(each.value, family) for each in cls.own.values())
        and all(comments(cls.own[key].comment) == comments(classes[0].own[key].comment) for key in keys)
        for cls in classes
    )


def _can_stand_in_a_contract(value: Any, family: Family) -> bool:
    """Return whether a value needs no class but the contracts of the same file."""
    if isinstance(value, Made):
        fits = value.of.is_contract and value.of.module == family.module
        return fits and all(_can_stand_in_a_contract(each.value, family) for each in value.values.values())
    return isinstance(value, (Plain, Derived))


def _replace(maker: Maker, family: Family, classes: list[Class]) -> None:
    first = classes[0]
    alike = {
        key: default
        for key, default in first.own.items()
        if all(_text(cls.own[key]) == _text(default) for cls in classes)
    }
    family.contract = True
    family.defaults = {key: alike.get(key, Default(Required(), each.comment)) for key, each in first.own.items()}
    items = {key: item for key, item in first.content.items.items() if key in alike}
    shared = Class(family.label, family.module, family, [], Branch(items), is_contract=True)
    shared.children = {key: each.value.of for key, each in alike.items() if isinstance(each.value, Made)}
    for written in maker.written.values():
        for cls in written:
            cls.children = {key: shared if child in classes else child for key, child in cls.children.items()}
            for made in _made(cls.own.values()):
                if made.of in classes:
                    own = {key: default for key, default in made.of.own.items() if key not in alike}
                    made.values = {key: {**own, **made.values}[key] for key in first.own if key in own | made.values}
                    made.of = shared
        written[:] = [cls for cls in written if cls not in classes]


def _made(defaults: Any) -> Iterator[Made]:
    for each in defaults:
        if isinstance(each.value, Made):
            yield each.value
            yield from _made(each.value.values.values())


def _text(default: Default) -> tuple[Any, ...]:
    """Return what two defaults with the same meaning have in common."""
    value = default.value
    if isinstance(value, Made):
        return id(value.of), *((key, _text(each)) for key, each in value.values.items())
    assert isinstance(value, (Plain, Derived))
    return type(value), repr(value.value)
