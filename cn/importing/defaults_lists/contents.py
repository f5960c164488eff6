"""What a YAML file holds once its defaults list is followed: values, branches, and slots where an option is chosen."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterator
from typing import Any, cast

from cn.importing.reading.yaml_files import Entry, File

MISSING = "???"
HERE = "\0"  # stands for the package of the file that is read


@dataclasses.dataclass
class Leaf:
    """A value that is no mapping, or an empty one."""

    value: Any
    file: File
    keys: tuple[Hashable, ...]

    @property
    def place(self) -> str:
        return self.file.place(self.keys)


@dataclasses.dataclass
class Branch:
    """A mapping. own: the file whose text it is, unless several files made it."""

    items: dict[Hashable, Item] = dataclasses.field(default_factory=dict[Hashable, "Item"])
    file: File | None = None
    keys: tuple[Hashable, ...] = ()

    @property
    def place(self) -> str:
        return self.file.place(self.keys) if self.file is not None else ""


@dataclasses.dataclass
class Slot:
    """A place where an option of a group is chosen.

    option: None if none is chosen, `???` if the user must. over: values that beat those of the option; under: values
    that the option's beat. key: what the command line calls it.
    """

    group: str
    option: str | None
    key: str
    entry: Entry
    file: File
    over: Branch = dataclasses.field(default_factory=Branch)
    under: Branch = dataclasses.field(default_factory=Branch)
    replaces: bool = False  # only the option of the slot that is there is replaced: an `override` of a defaults list

    @property
    def place(self) -> str:
        """Return the entry of a defaults list that chooses."""
        return f"{self.file.shown}:{self.entry.line}" if self.entry.line else self.file.shown


Item = Leaf | Branch | Slot


@dataclasses.dataclass
class Content:
    """All that a file means. bases: files that it extends, the strongest last; choices: `override` entries by key."""

    file: File
    own: Branch = dataclasses.field(default_factory=Branch)
    bases: list[Content] = dataclasses.field(default_factory=list["Content"])
    choices: dict[str, tuple[str | None, Entry, File]] = dataclasses.field(default_factory=dict[str, Any])
    patches: list[tuple[str, Entry]] = dataclasses.field(default_factory=list[Any])  # groups of patches, with entries
    outside: dict[str, Branch] = dataclasses.field(default_factory=dict[str, Any])  # what stands at absolute packages
    listed: list[tuple[Entry, File, str]] = dataclasses.field(default_factory=list[Any])  # several options, or no group
    full: Branch = dataclasses.field(default_factory=Branch)
    replaced: dict[str, str] = dataclasses.field(default_factory=dict[str, str])  # patches of `override`, by group


def branch_of(value: Any, file: File, keys: tuple[Hashable, ...] = ()) -> Branch:
    """Return the body of a file, or a part of it, as a branch. A list at the top becomes the item `items`."""
    if not isinstance(value, dict):
        return Branch({"items": Leaf(value, file, keys)}, file, keys)
    branch = Branch(file=file, keys=keys)
    for key, item in cast("dict[Hashable, Any]", value).items():
        inner = (*keys, key)
        nested = isinstance(item, dict) and len(cast("dict[Hashable, Any]", item)) > 0
        branch.items[key] = branch_of(item, file, inner) if nested else Leaf(item, file, inner)
    return branch


def merge(into: Branch, other: Branch) -> None:
    """Merge a branch into another, as OmegaConf merges mappings: the other's values win."""
    for key, item in other.items.items():
        old = into.items.get(key)
        if isinstance(item, Branch):
            if isinstance(old, Branch):
                merge(old, item)
            elif isinstance(old, Slot):
                merge(old.over, item)
            else:
                into.items[key] = copied(item)
        elif isinstance(item, Slot):
            place_slot(into, (key,), copied(item))
        elif old is not None and item.value == MISSING:
            continue  # `???` leaves what is there
        elif isinstance(old, (Slot, Branch)) and _is_empty(item):
            continue
        else:
            into.items[key] = item


def _is_empty(item: Leaf) -> bool:
    return item.value == {} and isinstance(item.value, dict)


def place_slot(into: Branch, relative: tuple[Hashable, ...], slot: Slot) -> None:
    holder = descend(into, relative[:-1])
    old = holder.items.get(relative[-1])
    if slot.replaces and not isinstance(old, Leaf):
        changed = slot
        if isinstance(old, Slot):
            changed = dataclasses.replace(old, option=slot.option, over=copied(old.over))
            merge(changed.over, slot.over)  # what the file sets in the option that it chooses
        elif isinstance(old, Branch):
            changed.over = copied(old)
        holder.items[relative[-1]] = changed
        return
    if isinstance(old, Branch):
        merged = copied(old)
        merge(merged, slot.under)
        slot.under = merged
    elif isinstance(old, Slot):  # two options at one place: the later one, over what the first holds
        slot.under = old.under
        merge(slot.under, old.over)
    holder.items[relative[-1]] = slot


def target_of(slot: Slot, option: Branch | None) -> Branch:
    """Return what a slot holds: the option, with the values around it."""
    target = copied(slot.under)
    if option is not None:
        merge(target, copied(option))
    merge(target, copied(slot.over))
    return target


def descend(branch: Branch, keys: tuple[Hashable, ...]) -> Branch:
    for key in keys:
        inner = branch.items.get(key)
        if isinstance(inner, Slot):
            branch = inner.over
        elif isinstance(inner, Branch):
            branch = inner
        else:
            made = Branch()
            branch.items[key] = made
            branch = made
    return branch


def walk(item: Item, at: tuple[Hashable, ...] = ()) -> Iterator[tuple[tuple[Hashable, ...], Item]]:
    """Yield an item and all in it with their addresses; what is around a choice has the address of the choice."""
    yield at, item
    for key, each in item.items.items() if isinstance(item, Branch) else ():
        yield from walk(each, (*at, key))
    for branch in (item.over, item.under) if isinstance(item, Slot) else ():
        for key, each in branch.items.items():
            yield from walk(each, (*at, key))


def slots_of(item: Item) -> Iterator[Slot]:
    """Yield every slot in an item, also below slots."""
    return (each for _, each in walk(item) if isinstance(each, Slot))


def copied(item: Any) -> Any:
    """Return a copy of branches and slots; leaves are shared."""
    if isinstance(item, Branch):
        return Branch({key: copied(each) for key, each in item.items.items()}, item.file, item.keys)
    if isinstance(item, Slot):
        return dataclasses.replace(item, over=copied(item.over), under=copied(item.under))
    return item
