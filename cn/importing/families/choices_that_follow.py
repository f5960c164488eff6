"""Choices that follow others, `- head: ${size}_head` in a defaults list: the name of the option as a derived value."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cn.importing.defaults_lists.contents import Slot
from cn.importing.defaults_lists.packages import place_of
from cn.importing.families.families import Families
from cn.importing.families.interpolations import OPTION_OF, NotReadable, Reference, parsed


def name_of(slot: Slot, families: Families, options: Iterable[tuple[str, str]]) -> str | None:
    """Return the name as a text to derive; None if the run cannot tell it. options: each by its group.

    A choice in it is a call of `option_of` on the node that was chosen, which tells no folder of the option.
    """
    if slot.over.items or slot.under.items or slot.entry.optional:
        return None
    try:
        parts = parsed(str(slot.option)).parts
    except NotReadable:
        return None
    found, folders = "", {group for group, option in options if "/" in option}
    for part in parts:
        if isinstance(part, str):
            found += re.sub(r"[^\w/]", "_", part)
            continue
        if not isinstance(part, Reference) or any(not isinstance(each, str) for key in part.keys for each in key.parts):
            return None
        address = place_of(".".join(str(key.parts[0]) for key in part.keys))[1]
        field = families.at(tuple(address.split(".")))
        if field is None or not field.groups or families.is_dict(field) or folders & {*field.groups}:
            return None
        found += f"${{{OPTION_OF}:${{{address}}}}}"
    return found
