"""Items of YAML: whether two mean the same, what their escapes stand for, which choices they hold."""

from __future__ import annotations

from typing import Any

from cn.importing.defaults_lists.contents import Branch, Item, Leaf, Slot
from cn.importing.families.interpolations import parsed
from cn.importing.families.patches_that_follow import Following
from cn.importing.families.types import mapped


def lost(item: Item) -> list[tuple[str, str]]:
    """Return the choices within a mapping that becomes a plain dict, where nothing can be chosen."""
    if isinstance(item, Slot):
        return [(item.place, f"{item.group}: {item.option} is left out, since it stands in a plain dict")]
    return [each for inner in item.items.values() for each in lost(inner)] if isinstance(item, Branch) else []


def unescaped(value: Any) -> Any:
    """Return a value as OmegaConf resolves it where nothing is interpolated: `\\${x}` is the text `${x}`."""
    return mapped(value, lambda text: "".join(map(str, parsed(text).parts)))


def same(one: Item, other: Item) -> bool:
    """Return whether two items mean the same."""
    if isinstance(one, Following) or isinstance(other, Following):
        return one is other
    if isinstance(one, Leaf) and isinstance(other, Leaf):
        return type(one.value) is type(other.value) and one.value == other.value
    if isinstance(one, Branch) and isinstance(other, Branch):
        keys = list(one.items)
        return set(keys) == set(other.items) and all(same(one.items[key], other.items[key]) for key in keys)
    if isinstance(one, Slot) and isinstance(other, Slot):
        alike = (one.group, one.option) == (other.group, other.option)
        return alike and same(one.over, other.over) and same(one.under, other.under)
    return False
