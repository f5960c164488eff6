"""Keys of YAML that the classes do not keep as they are, each with its place and the reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from cn.importing.defaults_lists.contents import Branch
from cn.importing.families.families import Families, Family, leaves_of
from cn.importing.families.types import INTS

NEEDED = {"patches": "patches=[...] applies patches", "launch": "launch=... chooses where a run is trained"}


def renamed_keys(families: Families) -> Iterator[tuple[str, str]]:
    """Yield the keys of nodes that no field can have, with the names of their fields."""
    for family in families.nodes():
        for field in family.fields.values():
            if isinstance(field.key, str) and field.is_renamed:
                place = next((leaf.place for leaf in leaves_of(field)), family.module)
                yield place, f"the key {field.key!r} becomes the field {field.name}, since no field can have that key"


def keys_that_give_way(run: Family, content: Branch) -> Iterator[tuple[str, str]]:
    """Yield the keys of a primary config whose fields have another name, since the new project needs theirs."""
    for key, item in content.items.items():
        field = run.field(key)
        if field.gives_way:
            yield item.place, f"the key {key} of a run becomes the field {field.name}, since {NEEDED[str(key)]}"


def keys_as_texts(families: Families) -> Iterator[tuple[str, str]]:
    """Yield the values with keys that become texts, since a plain dict within another value has no other keys."""
    why = "a key that is no text becomes one: 1 is '1'"
    for family in families.nodes():
        for field in family.fields.values():
            data = field.family if families.is_data(field) else None
            if _become_texts(_keys(data), field.type):
                yield next((leaf.place for leaf in leaves_of(field)), family.module), why
            for leaf in leaves_of(field) if data is not None else field.leaves:
                if _become_texts(leaf.value, field.type if leaf in field.leaves else "Any"):
                    yield leaf.place, why


def _keys(family: Family | None) -> dict[Any, Any]:
    """Return the keys of plain dicts at any depth."""
    return {key: _keys(field.family) for key, field in family.fields.items()} if family is not None else {}


def _become_texts(value: Any, kind: str = "Any") -> bool:
    """Return whether `with_text_keys` changes a key of a value."""
    if isinstance(value, dict):
        table = cast("dict[Any, Any]", value)
        changed = not kind.startswith(INTS) and any(not isinstance(key, str) for key in table)
        return changed or any(map(_become_texts, table.values()))
    return any(map(_become_texts, cast("list[Any]", value))) if isinstance(value, list) else False
