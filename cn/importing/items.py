"""Items of YAML: whether two mean the same, what their escapes stand for, which choices they hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from cn.importing.contents import Branch, Item, Leaf, Slot
from cn.importing.families import Families, leaves_of
from cn.importing.following import Following
from cn.importing.interpolations import parsed
from cn.importing.types import with_text_keys


def lost(item: Item) -> list[tuple[str, str]]:
    """Return the choices within a mapping that becomes a plain dict, where nothing can be chosen."""
    if isinstance(item, Slot):
        place = f"{item.file.shown}:{item.entry.line}"
        return [(place, f"{item.group}: {item.option} is left out, since it stands in a plain dict")]
    return [each for inner in item.items.values() for each in lost(inner)] if isinstance(item, Branch) else []


def unescaped(value: Any) -> Any:
    """Return a value as OmegaConf resolves it where nothing is interpolated: `\\${x}` is the text `${x}`."""
    if isinstance(value, str):
        return "".join(str(part) for part in parsed(value).parts) if "${" in value else value
    if isinstance(value, list):
        return [unescaped(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: unescaped(each) for key, each in cast("dict[Any, Any]", value).items()}
    return value


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


def renamed_keys(families: Families) -> Iterator[tuple[str, str]]:
    """Yield the keys of nodes that no field can have, with the names of their fields."""
    for family in families.nodes():
        for field in family.fields.values():
            if isinstance(field.key, str) and field.is_renamed:
                place = next((leaf.place for leaf in leaves_of(field)), family.module)
                yield place, f"the key {field.key!r} becomes the field {field.name}, since no field can have that key"


def keys_as_texts(families: Families) -> Iterator[tuple[str, str]]:
    """Yield the values with keys that become texts, since a plain dict within another value has no other keys."""
    why = "a key that is no text becomes one: 1 is '1'"
    for family in families.every():
        for field in family.fields.values():
            held = field.family.fields.values() if field.family is not None and families.is_data(field) else ()
            keys = {each.key: None for each in held}
            if with_text_keys(keys, field.type) != keys:
                yield next(leaf.place for each in held for leaf in each.leaves), why
            for leaf in field.leaves:
                if with_text_keys(leaf.value, field.type) != leaf.value:
                    yield leaf.place, why
