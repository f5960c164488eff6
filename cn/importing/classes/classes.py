"""The classes that a tree becomes, with their defaults: one for each option, and one for each mapping within."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from typing import Any

from cn.importing.defaults_lists.contents import Branch, Leaf, Slot
from cn.importing.families.families import Family, Field


@dataclasses.dataclass(eq=False)
class Class:
    """A class to write. own: the fields that it states; content: all that an instance holds."""

    name: str
    module: str
    family: Family
    bases: list[Class | Family]
    content: Branch
    own: dict[Hashable, Default] = dataclasses.field(default_factory=dict[Hashable, "Default"])
    children: dict[Hashable, Class] = dataclasses.field(default_factory=dict[Hashable, "Class"])
    doc: str = ""
    kept: list[Change] = dataclasses.field(default_factory=list["Change"])  # whatever is chosen
    patches: list[str] = dataclasses.field(default_factory=list[str])  # that apply by default
    is_contract: bool = False  # the contract of its family, which has defaults

    def child(self, key: Hashable) -> Class | None:
        """Return the class of the node that a field holds by default; None if a value has replaced the node."""
        if isinstance(self.content.items.get(key), Leaf):
            return None
        if key in self.children:
            return self.children[key]
        for base in self.bases:
            found = base.child(key) if isinstance(base, Class) else None
            if found is not None:
                return found
        return None

    def inherits(self, other: Class) -> bool:
        """Return whether another class is above this one."""
        return any(base is other or (isinstance(base, Class) and base.inherits(other)) for base in self.bases)


@dataclasses.dataclass
class Change:
    """A change to a run by address: of a patch, or one that a run keeps. field: None for a choice."""

    address: str
    value: Any
    field: Field | None
    leaf: Leaf | Branch | None
    is_choice: bool = False


@dataclasses.dataclass(eq=False)
class Made:
    """An instance of a class, with the fields that differ."""

    of: Class
    values: dict[Hashable, Default] = dataclasses.field(default_factory=dict[Hashable, "Default"])


@dataclasses.dataclass(eq=False)
class Derived:
    """A value to work out from the run."""

    value: Any
    leaf: Leaf | None = None


@dataclasses.dataclass(eq=False)
class Plain:
    """A value as it is."""

    value: Any


@dataclasses.dataclass(eq=False)
class Required:
    """No value: the user must give one."""


@dataclasses.dataclass(eq=False)
class Default:
    """What stands behind the equals sign of a field, and the comment of the YAML."""

    value: Made | Derived | Plain | Required
    comment: Leaf | Branch | Slot | None = None


def needs(cls: Class, other: Class) -> bool:
    """Return whether a class names another as a base or in a default."""
    return other in cls.bases or any(_uses(each.value, other) for each in cls.own.values())


def _uses(value: Any, other: Class) -> bool:
    if isinstance(value, Made):
        return value.of is other or any(_uses(each.value, other) for each in value.values.values())
    return False
