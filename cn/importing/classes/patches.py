"""Options with `# @package _global_` as patches: choices and values by address, and what no class has a field for."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

from cn.importing.classes.classes import Change
from cn.importing.defaults_lists.contents import MISSING, Branch, Content, Item, Leaf, Slot, slots_of, walk
from cn.importing.defaults_lists.packages import place_of
from cn.importing.families.choices_that_follow import name_of
from cn.importing.families.families import Families, Family, Field, field_of, plain_of
from cn.importing.families.types import has_interpolation
from cn.importing.families.written_out import filled
from cn.nodes.class_body import TARGET

EXTRA = "extra"  # the field of a node that holds what a patch adds to it


class Patches:
    """Works out the changes of each patch. exact: a mapping that not all options have is added, and does not wait.

    options, contents: the name of each option now and what it holds, by group and option.
    """

    def __init__(
        self,
        families: Families,
        options: dict[tuple[str, str], str],
        contents: Mapping[tuple[str, str], Branch],
        *,
        exact: bool,
    ) -> None:
        self.families, self.options, self.contents, self.exact = families, options, contents, exact
        self.odd: list[tuple[str, str]] = []
        self.setting: dict[tuple[Hashable, ...], set[str]] = {}  # by the address of a mapping: folders of its patches

    def prepare(self, content: Content) -> None:
        """Take the values of a patch into the families, so that the types of their fields allow them."""
        self._prepare(content.full, self.families.run)
        file = content.file
        for address, item in walk(content.own, tuple(file.package.split(".")) if file.package else ()):
            if isinstance(item, Branch):
                self.setting.setdefault(address, set()).add(file.group.partition("/")[0])
        for key, (option, *_) in content.choices.items():
            field = self.families.at(tuple(place_of(key)[1].split(".")))
            if field is not None and option is None:
                field.optional = True

    def _prepare(self, branch: Branch, family: Family) -> None:
        for key, item in branch.items.items():
            field = family.fields.get(key)
            known = field is not None and self.families.is_shared(family, key)
            if not known and not (family is self.families.run and isinstance(item, Slot)):
                family.extra.add(key)
            if field is None:
                continue
            if isinstance(item, Branch) and item.file is not None and not self.families.every_of(field):
                item = Leaf(plain_of(item), item.file, item.keys)
            if isinstance(item, Leaf):
                if item.value != MISSING:
                    field.leaves.append(item)
                    field.optional = field.optional or item.value is None
                continue
            for inner in self.families.every_of(field):
                if inner is field.family and family.nodes is None and isinstance(item, Branch):
                    inner.is_plain = inner.is_plain or _retargets(item, inner)
                self._prepare(item.over if isinstance(item, Slot) else item, inner)

    def changes(self, content: Content) -> list[Change]:
        """Return the changes of a patch, with those of the files that it extends."""
        found: list[Change] = []
        for key, (option, entry, file) in content.choices.items():
            group, package = place_of(key)
            found.append(
                Change(".".join(self.families.typed(package.split("."))), self._option(group, option), None, None)
            )
            if option is not None and (group, option) not in self.options and option != MISSING:
                self.odd.append((f"{file.shown}:{entry.line}", f"{group} has no option {option}"))
        for entry, file, key in content.listed:
            group, package = place_of(key)
            if entry.override and isinstance(entry.options, list):
                at = package.split(".")
                field = self.families.at(tuple(at))
                if field is not None and self.families.is_dict(field):
                    options = [self._option(group, each) for each in entry.options]
                    found.append(Change(".".join(self.families.typed(at)), options, None, None))
                else:
                    several = f"{group}: [{', '.join(entry.options)}] chooses several options, of which this is no dict"
                    self.odd.append((f"{file.shown}:{entry.line}", several))
        found += self._of(content.full, [self.families.run], ())
        return found

    def _of(self, branch: Branch, families: list[Family], at: tuple[str, ...]) -> Iterator[Change]:
        added: dict[Hashable, Any] = {}  # what has keys that cannot be part of an address
        extra = "".join(f"{each}." for each in at) + EXTRA
        for key, item in branch.items.items():
            field = field_of(families, key)
            if field is None or self.families.is_data(field):
                item = self._written_out(item, ".".join([*at, str(key)]))
            if field is None:
                if isinstance(item, Leaf) and item.value == MISSING:
                    self.odd.append((item.place, f"{key} is ???: the patch needs ++{'.'.join([*at, str(key)])}=VALUE"))
                    continue
                if _is_typed(key) and (at or key not in self.families.run.reserved):
                    folders = self.setting.get((*at, key), set())  # a patch is chosen of each
                    yield from _added(item, (*at, str(key)), each=len(folders) > 1)
                else:
                    added[key] = plain_of(item)
                continue
            if key in TARGET:  # it cannot be changed from outside of a class
                if any(isinstance(item, Leaf) and each.value != item.value for each in field.leaves):
                    self.odd.append((item.place if isinstance(item, Leaf) else "", f"{key} of a class is not changed"))
                continue
            shared = all(self.families.is_shared(each, key) for each in families)
            sign = "" if shared or isinstance(item, Slot) else "++"
            if sign and isinstance(item, Branch) and self.families.is_data(field):
                yield from _added(item, (*at, field.typed), each=True)
                continue
            for each in self._change(item, field, (*at, field.typed)):
                address = each.address if each.is_choice else f"{sign}{each.address.removeprefix(sign)}"
                yield dataclasses.replace(each, address=address)
        if added:
            yield Change(extra, added, None, None)

    def _written_out(self, item: Item, address: str) -> Item:
        """Return what an item holds, with each choice in it as the values of the option, and tell of the choices."""
        for slot in slots_of(item):
            why = f"is written out, since {address} is no field of a run that can choose"
            self.odd.append((slot.place, f"{slot.group}: {slot.option} {why}"))
        return filled(item, self.contents)

    def _change(self, item: Item, field: Field, at: tuple[str, ...]) -> Iterator[Change]:
        inner = self.families.every_of(field)
        if isinstance(item, Slot):
            option = self._chosen(item)
            if not item.replaces and (option is not None or item.option is None):
                yield Change(".".join(at), option, None, None, is_choice=True)
            if inner:
                yield from self._of(item.over, inner, at)
        elif isinstance(item, Leaf):
            is_empty = item.value == {} and bool(inner) and not self.families.is_data(field)  # it changes no mapping
            if item.value != MISSING and not is_empty:
                yield Change(".".join(at), item.value, field, item)
        elif not inner or self.families.is_data(field):  # a dict is merged into that of the class, not what it holds
            deep = {key: each for key, each in item.items.items() if isinstance(each, Branch) and _is_typed(key)}
            flat = {key: each for key, each in item.items.items() if key not in deep}
            if flat or not deep:
                rest = Branch(flat, item.file, item.keys)
                yield Change(".".join(at), plain_of(rest), field, rest)
            for key, each in deep.items():
                yield from _added(each, (*at, str(key)), each=True)
        else:
            yield from self._of(item, inner, at)

    def _chosen(self, slot: Slot) -> Any:
        """Return the option of a slot, as a text to derive if it follows others; None if the run cannot tell it."""
        if slot.option is None or "${" not in slot.option:
            return self._option(slot.group, slot.option)
        alone = dataclasses.replace(slot, over=Branch(), under=Branch())  # what is around it are changes too
        name = name_of(alone, self.families, self.options)
        if name is None:
            what = f"{slot.group}: {slot.option} is not chosen again beside another choice around it"
            self.odd.append((slot.place, what))
        return name

    def kept(self, content: Content) -> list[Change]:
        """Return what a primary config sets around what it chooses, and stays with another choice: choices alone.

        With exact, values stay too. Without, no choice that follows others stays around which values are set.
        """
        found = list(self._kept(content.full, self.families.run, ()))
        if self.exact:
            return found
        values = [f"{each.address.lstrip('+')}." for each in found if not each.is_choice]
        for each in [each for each in found if each.is_choice and has_interpolation(each.value)]:
            at = each.address.lstrip("+")
            if any(value.startswith(f"{at}.") for value in values):
                found.remove(each)
                what = f"{at} is not chosen again beside another choice around it, since values are set in it"
                self.odd.append((content.file.shown, what))
        return [each for each in found if each.is_choice]

    def prepare_kept(self, branch: Branch, family: Family) -> None:
        """Note the keys that a primary config sets around a choice, and that not all options have."""
        for key, item in branch.items.items():
            field = family.fields.get(key)
            for inner in self.families.every_of(field) if field is not None else ():
                if isinstance(item, Slot) and item.option not in (None, MISSING):
                    self._prepare(item.over, inner)
                    self._prepare(item.under, inner)
                elif isinstance(item, Branch):
                    self.prepare_kept(item, inner)

    def _kept(self, branch: Branch, family: Family, at: tuple[str, ...]) -> Iterator[Change]:
        for key, item in branch.items.items():
            field = family.fields.get(key)
            inner = self.families.of(field) if field is not None else None
            if field is None or inner is None or self.families.is_data(field):
                continue
            if isinstance(item, Slot):
                if item.option not in (None, MISSING):
                    every = self.families.every_of(field)
                    yield from self._of(item.over, every, (*at, field.typed))
                    for each in self._of(item.under, every, (*at, field.typed)):
                        yield dataclasses.replace(each, address=f"+{each.address.lstrip('+')}")
            elif isinstance(item, Branch):
                yield from self._kept(item, inner, (*at, field.typed))

    def _option(self, group: str, option: str | None) -> Any:
        return None if option is None else self.options.get((group, option), option)


def _is_typed(key: Hashable) -> bool:
    """Return whether a key can be part of an address."""
    return re.fullmatch(r"[A-Za-z_][\w-]*", str(key)) is not None


def _added(item: Item, at: tuple[str, ...], *, each: bool) -> Iterator[Change]:
    """Yield the change that adds an item; each: one for each value in it, which leaves what is there."""
    if each and isinstance(item, Branch) and item.items and all(map(_is_typed, item.items)):
        for key, inner in item.items.items():
            yield from _added(inner, (*at, str(key)), each=True)
    else:
        yield Change(f"++{'.'.join(at)}", plain_of(item), None, item if not isinstance(item, Slot) else None)


def _retargets(item: Branch, family: Family) -> bool:
    """Return whether a mapping of a patch builds what others in its place do not."""
    found = [(each, family.fields[key].leaves) for key, each in item.items.items() if key in TARGET & {*family.fields}]
    return any(isinstance(each, Leaf) and any(o.value != each.value for o in others) for each, others in found)
