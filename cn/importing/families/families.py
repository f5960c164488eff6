"""Families: all mappings of a tree that stand in the same place, such as the options of a group, with their fields.

A family becomes a contract. Its fields have one type each, which is worked out from all values that any option, primary
config or patch gives them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Hashable, Iterator
from typing import Any, cast

from cn.importing.defaults_lists.contents import MISSING, Branch, Leaf, Slot
from cn.importing.families.names import attribute, camel, can_be_key, is_attribute

CALL = re.compile(r"\$\{\s*[A-Za-z_][\w.]*\s*:")  # of a resolver
LONGEST = 40  # letters of a class whose name is made different from others by what it stands in


@dataclasses.dataclass(eq=False)
class Field:
    """One key of a family. name: of the attribute. groups: whose options can be chosen here."""

    key: Hashable
    name: str
    holder: Family | None = None  # whose field it is
    leaves: list[Leaf] = dataclasses.field(default_factory=list[Leaf])
    family: Family | None = None
    groups: list[str] = dataclasses.field(default_factory=list[str])
    optional: bool = False
    derived: list[Family] = dataclasses.field(default_factory=list["Family"])  # whose node an interpolation may give
    as_dict: bool = False  # a node that an interpolation gives is held as a plain dict
    type: str = ""  # worked out later, for a field that is no node
    gives_way: bool = False  # the command line needs the key for something else, so the field has another name

    @property
    def is_keyed(self) -> bool:
        """Return whether the field keeps its key by `Key(...)`, since Python cannot name it."""
        return self.name != self.key and not self.gives_way and can_be_key(self.key)

    @property
    def is_renamed(self) -> bool:
        """Return whether the field loses its key, which neither Python nor the command line can name: `hot dog`."""
        return self.name != self.key and not self.is_keyed and not self.gives_way

    @property
    def typed(self) -> str:
        """Return what the command line calls the field."""
        return str(self.key) if self.is_keyed else self.name

    @property
    def plain(self) -> list[Leaf]:
        """Return the leaves that say what type a value has."""
        return [each for each in self.leaves if each.value is not None and each.value != MISSING]


@dataclasses.dataclass(eq=False)
class Family:
    """label: the name of its class. module: the package that would hold its contract. address: where it stands."""

    label: str
    module: str
    group: str | None = None
    fields: dict[Hashable, Field] = dataclasses.field(default_factory=dict[Hashable, Field])
    contract: bool = False  # whether it has a contract; known once the classes are made
    shared: list[Field] = dataclasses.field(default_factory=list[Field])  # the fields that all members have
    above: Family | None = None
    base: str = ""  # the label before it was made different from others
    roots: list[frozenset[Hashable]] = dataclasses.field(default_factory=list[frozenset[Hashable]])  # keys of members
    added: set[Hashable] = dataclasses.field(default_factory=set[Hashable])  # choices that others put into members
    extra: set[Hashable] = dataclasses.field(default_factory=set[Hashable])  # keys that patches alone set
    nodes: Family | None = None  # of a group that is a dict of nodes: the family of these
    reserved: frozenset[Hashable] = frozenset()  # keys that give way
    is_entry: bool = False  # its members are entries of such a dict
    is_plain: bool = False  # its members are plain dicts: a patch decides what is built from them, or a dict holds them
    defaults: dict[Hashable, Any] | None = None  # of a contract that has instances itself, not classes

    def distinct(self, label: str, taken: set[str]) -> str:
        """Return a name for a class of the family that is not taken: with the names of what it stands in before it."""
        best, above = label, self.above
        while best in taken and above is not None and above.group is None and above.above is not None:
            longer = (above.base or above.label) + best
            if len(longer) > LONGEST:
                break
            best, above = longer, above.above
        if best in taken and f"{label}Fields" not in taken:
            return f"{label}Fields"
        number, start = 2, best
        while best in taken:
            best, number = f"{start}{number}", number + 1
        return best

    def field(self, key: Hashable) -> Field:
        if key not in self.fields:
            taken, gives_way = {field.name for field in self.fields.values()}, key in self.reserved
            free = is_attribute(key) and not gives_way
            name = str(key) if free else attribute(str(key), {*taken, *map(str, self.reserved)})
            self.fields[key] = Field(key, name, self, gives_way=gives_way)
        return self.fields[key]


class Families:
    """The family of each group, and that of all runs."""

    def __init__(self) -> None:
        self.run = Family("Run", "runs")
        self.groups: dict[str, Family] = {}

    def add(self, family: Family, branch: Branch, *, root: bool = True) -> None:
        """Take the fields and values of a mapping into a family. root: it is a member, not values around one."""
        if root:
            family.roots.append(frozenset(branch.items))
        for key, item in branch.items.items():
            field = family.field(key)
            if isinstance(item, Slot):
                if item.group not in field.groups:
                    field.groups.append(item.group)
                field.optional = field.optional or item.option is None or item.entry.optional
            elif isinstance(item, Branch):
                if field.family is None:
                    field.family = Family(camel(str(key)), family.module, above=family)
                self.add(field.family, item, root=root)
            else:
                field.leaves.append(item)
                field.optional = field.optional or item.value is None

    def of(self, field: Field) -> Family | None:
        """Return the family of the nodes in a field."""
        if field.groups:
            return self.groups.get(field.groups[0])
        return field.family

    def is_dict(self, field: Field) -> bool:
        """Return whether a field holds a dict of nodes."""
        return any(self.groups[each].nodes is not None for each in field.groups if each in self.groups)

    def every_of(self, field: Field) -> list[Family]:
        """Return the families of all nodes that a field can hold."""
        found = [self.groups[each] for each in field.groups if each in self.groups]
        return found if found or field.family is None else [field.family]

    def offer(self, inner: dict[tuple[str, str], str]) -> None:
        """Let the fields of a group hold the options of other groups that it can choose: see `Groups.inner`."""
        for family in self.every():
            for field in family.fields.values():
                more = [group for (above, _), group in inner.items() if above in field.groups]
                field.groups = list(dict.fromkeys([*field.groups, *more]))

    def typed(self, keys: list[str]) -> list[str]:
        """Return the keys of an address in the run as they are typed now; unknown ones as they are."""
        families, found = [self.run], list[str]()
        for place, key in enumerate(keys):
            field = field_of(families, key)
            if field is None:
                is_item = key.isdecimal() and field_of(families, "items") is not None
                return [*found, *(["items"] if is_item else []), *keys[place:]]
            found.append(field.typed)
            families = [] if self.is_data(field) else self.every_of(field)
        return found

    def unify(self) -> None:
        """Join what stands in a slot without being chosen there with the family of the slot's group."""
        for family in list(self.every()):
            for field in family.fields.values():
                if field.groups and field.family is not None and field.groups[0] in self.groups:
                    self.join(self.groups[field.groups[0]], field.family)
                    field.family = None

    def is_shared(self, family: Family, key: Hashable) -> bool:
        """Return whether every member has the key; of a dict of nodes and of its entries, whether one has."""
        if family.nodes is not None or family.is_entry:
            return key in family.fields
        return key in family.added or all(key in keys for keys in family.roots)

    def join(self, into: Family, other: Family) -> None:
        """Take the fields and values of a family into another."""
        into.roots += other.roots
        for key, field in other.fields.items():
            known = into.field(key)
            known.leaves += field.leaves
            known.groups += [each for each in field.groups if each not in known.groups]
            known.optional = known.optional or field.optional
            if field.family is not None and known.family is not None:
                self.join(known.family, field.family)
            elif field.family is not None:
                known.family = field.family

    def every(self) -> Iterator[Family]:
        """Yield all families."""
        seen: set[int] = set()
        todo = [self.run, *self.groups.values()]
        while todo:
            family = todo.pop()
            if id(family) in seen:
                continue
            seen.add(id(family))
            yield family
            todo += [field.family for field in family.fields.values() if field.family is not None]

    def nodes(self) -> Iterator[Family]:
        """Yield the families whose members are nodes: none below a plain dict."""
        found = dict.fromkeys([self.run, *self.groups.values()])
        todo = list(found)
        while todo:
            family = todo.pop()
            yield family
            held = [field.family for field in family.fields.values() if field.family and not self.is_data(field)]
            todo += [each for each in held if each not in found]
            found |= dict.fromkeys(held)

    def mark_plain(self) -> None:
        """Let all that stands in a plain dict be plain dicts too."""
        todo = [field.family for each in self.nodes() for field in each.fields.values() if self.is_data(field)]
        while todo:
            family = todo.pop()
            if family is not None and not family.is_plain:
                family.is_plain = True
                todo += [field.family for field in family.fields.values()]

    def at(self, keys: tuple[str, ...], start: Family | None = None) -> Field | None:
        """Return the field at an absolute address, or at one below a start; None for a mapping within a plain dict."""
        families, field, in_dict = [start or self.run], None, False
        for key in keys:
            field = field_of(families, key)
            families = self.every_of(field) if field is not None else []
            if field is None or (in_dict and families and not self.is_data(field)):
                return None
            in_dict = in_dict or self.is_data(field)
        return field

    def around(self, field: Field, levels: int) -> list[Family]:
        """Return the families of the nodes that can hold a field; levels: so many nodes above the one that has it."""
        held = [field.holder] if field.holder is not None else []
        for _ in range(levels):
            below, held = held, list[Family]()
            for family in self.every():
                if any(each in below for its in family.fields.values() for each in self.every_of(its)):
                    held.append(family)
        return held

    def relative(self, field: Field, levels: int, keys: list[str]) -> list[Field]:
        """Return the fields that can stand at an address which starts from what holds a field, `levels` above it."""
        found = (self.at(tuple(keys), family) for family in self.around(field, levels))
        return list(dict.fromkeys(each for each in found if each is not None))

    def is_data(self, field: Field) -> bool:
        """Return whether a field holds a plain dict, not a node."""
        if field.groups:
            return False
        dicts = any(isinstance(each.value, dict) for each in field.leaves)
        if field.family is None:
            return dicts
        if field.family.is_plain or any(not isinstance(key, str) for key in field.family.fields):
            return True
        if any(each.is_renamed for each in field.family.fields.values()) and not _holds_choice(field.family):
            return True
        return any(not isinstance(each.value, dict) and not is_whole(each.value) for each in field.plain)


def _holds_choice(family: Family) -> bool:
    """Return whether an option is chosen somewhere in the nodes of a family, which no plain dict can hold."""
    return any(
        each.groups or (each.family is not None and _holds_choice(each.family)) for each in family.fields.values()
    )


def leaves_of(field: Field) -> Iterator[Leaf]:
    """Yield the values of a field, also those within mappings."""
    yield from field.leaves
    for each in field.family.fields.values() if field.family is not None else ():
        yield from leaves_of(each)


def field_of(families: list[Family], key: Hashable) -> Field | None:
    """Return the field with a key of the first family that has one."""
    return next((each.fields[key] for each in families if key in each.fields), None)


def is_whole(value: Any) -> bool:
    """Return whether a value is a reference and nothing else, which may give a node; no resolver of the user's does."""
    whole = isinstance(value, str) and value.startswith("${") and value.endswith("}")
    return whole and (value.startswith("${oc.select:") or not CALL.match(value))


def plain_of(item: Leaf | Branch | Slot) -> Any:
    """Return a branch as the plain dict that YAML has."""
    if isinstance(item, Leaf):
        return item.value
    if isinstance(item, Slot):
        return {**plain_of(item.under), **plain_of(item.over)}
    return {key: plain_of(cast("Any", each)) for key, each in item.items.items()}
