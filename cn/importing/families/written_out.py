"""Choices in a field that holds a plain value in most files: there the option is written out, since a node is no value.

`data: path/to/file` in several options of a group, and `- examples@data: few` in one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import NamedTuple

from cn.importing.defaults_lists.contents import Branch, Item, Slot, target_of
from cn.importing.families.families import Families, Family, Field, is_whole


class Place(NamedTuple):
    """A choice, where it stands."""

    branch: Branch
    key: Hashable
    slot: Slot
    field: Field


def write_out(
    families: Families, contents: Iterable[tuple[Branch, Family]], options: Mapping[tuple[str, str], Branch]
) -> list[tuple[str, str]]:
    """Replace such choices by what they hold, and return the place of each with the reason.

    contents: of each file, with its family. options: what each holds, by group and name.
    """
    found: dict[int, list[Place]] = {}
    for branch, family in contents:
        for place in _places(branch, family, families):
            found.setdefault(id(place.field), []).append(place)
    told: dict[tuple[str, str], None] = {}
    for places in found.values():
        values = [leaf for leaf in places[0].field.plain if not is_whole(leaf.value)]
        files = {leaf.file.config for leaf in values if isinstance(leaf.value, (str, int, float))}
        if len(files) <= len({each.slot.file.config for each in places}):
            continue
        for branch, key, slot, _ in places:
            branch.items[key] = target_of(slot, options.get((slot.group, str(slot.option))))
            why = f"{slot.group}: {slot.option} is written out, since {key} is a plain value in {len(files)} files"
            told[slot.place, why] = None
    return list(told)


def filled(item: Item, options: Mapping[tuple[str, str], Branch]) -> Item:
    """Return an item with each choice in it replaced by what it holds."""
    if isinstance(item, Slot):
        item = target_of(item, options.get((item.group, str(item.option))))
    if isinstance(item, Branch):
        return dataclasses.replace(item, items={key: filled(each, options) for key, each in item.items.items()})
    return item


def _places(branch: Branch, family: Family, families: Families) -> Iterator[Place]:
    for key, item in branch.items.items():
        field = family.fields.get(key)
        if field is None:
            continue
        if isinstance(item, Slot) and item.entry.line and item.option is not None:
            yield Place(branch, key, item, field)
        for inner in families.every_of(field):
            if isinstance(item, (Branch, Slot)):
                yield from _places(item.over if isinstance(item, Slot) else item, inner, families)
