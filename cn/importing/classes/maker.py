"""Make a class of each option and primary config, which states what its bases do not say."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from typing import Any

from cn.importing.classes.classes import Class, Default, Derived, Made, Plain, Required, needs
from cn.importing.classes.items import lost, same, unescaped
from cn.importing.defaults_lists.contents import MISSING, Branch, Item, Leaf, Slot, copied, merge, target_of
from cn.importing.families.choices_that_follow import name_of
from cn.importing.families.families import Families, Family, Field, plain_of
from cn.importing.families.names import camel
from cn.importing.families.patches_that_follow import Following
from cn.importing.families.types import has_interpolation
from cn.importing.reading.yaml_files import File


class Maker:
    """Makes classes. files: the file of each option by group and option; modules: the module of each file."""

    def __init__(self, families: Families, options: dict[tuple[str, str], File], modules: dict[str, str]) -> None:
        self.families, self.options, self.modules = families, options, modules
        self.contents: dict[str, Branch] = {}  # of each option's file
        self.extended: dict[str, list[str]] = {}  # the files that a file's class inherits from
        self.names: dict[str, str] = {}  # the class of each file
        self.group_of: dict[str, str] = {}
        self.docs: dict[str, str] = {}
        self.made: dict[str, Class] = {}
        self.written: dict[str, list[Class]] = {}  # by module
        self.odd: list[tuple[str, str]] = []  # (place, why) of what cannot be said exactly

    def of_file(self, config: str) -> Class:
        """Return the class of an option or a primary config."""
        if config not in self.made:
            family = self.families.groups.get(self.group_of[config], self.families.run)
            content, module = self.contents[config], self.modules[config]
            entry = content.items.get(config.removeprefix(f"{self.group_of[config]}/"))
            if family.nodes is not None and len(content.items) == 1 and isinstance(entry, Branch):
                family, content = family.nodes, entry
            above = [self.of_file(each) for each in reversed(self.extended.get(config, []))]
            alike = [each for each in above if each.family is family]
            bases: list[Class | Family] = [each for each in alike if not any(other.inherits(each) for other in alike)]
            cls = Class(self.names[config], module, family, bases or [family], content, doc=self.docs[config])
            self.made[config] = cls
            self._fill(cls, bases)
            self.written.setdefault(module, []).append(cls)
        return self.made[config]

    def _fill(self, cls: Class, bases: list[Class | Family]) -> None:
        """Work out what a class states itself: all that its bases do not say."""
        held = Branch()
        for base in reversed(bases):
            if isinstance(base, Class):
                merge(held, copied(base.content))
        for key, item in cls.content.items.items():
            old = held.items.get(key)
            if old is not None and same(item, old):
                continue
            default, child = self._default(cls, key, item, next(iter(self._held(bases, key)), None))
            if old is not None and isinstance(default.value, Required):
                place = item.place if isinstance(item, Leaf) else cls.module
                self.odd.append((place, f"{key} is ??? again, after a base gave it a value; the value stays"))
                continue
            if old is not None and getattr(item, "file", None) is getattr(old, "file", None):
                default.comment = None  # it stands beside the field of the base
            cls.own[key] = default
            if child is not None:
                cls.children[key] = child

    def _held(self, bases: list[Class | Family], key: Hashable) -> list[Class]:
        found = (base.child(key) for base in bases if isinstance(base, Class))
        return [each for each in found if each is not None]

    def _default(self, cls: Class, key: Hashable, item: Item, old: Class | None) -> tuple[Default, Class | None]:
        field = cls.family.field(key)
        if isinstance(item, Leaf):
            return Default(self.leaf(item, field, cls.module), item), None
        if isinstance(item, Branch):
            if self.families.is_data(field):
                value = plain_of(item)
                self.odd += lost(item)
                return Default(Derived(value) if has_interpolation(value) else Plain(unescaped(value)), item), None
            if self.families.is_dict(field):
                return Default(self._dict(field, item, cls.module), item), None
            old = old or self._entry(cls.family, key, item)
            made = self.instance(item, old, cls.module) if old is not None else None
            if made is None:
                made = Made(self._private(cls.module, field, item, []))
            return Default(made, item), made.of
        return self._slot(cls, field, item)

    def _dict(self, field: Field, target: Branch, module: str) -> Made:
        """Return a dict of nodes, as an instance of a class without a name; a bundle if options set values in it.

        Values of a bundle go when one of its nodes is chosen again, and those of a dict stay.
        """
        bundle = self._private(module, field, target, [])
        if _is_set_by_options(bundle.own, field.groups[0]):
            return Made(bundle)
        self.written[module].remove(bundle)
        return Made(Class("", module, bundle.family, [], Branch()), bundle.own)

    def _entry(self, family: Family, key: Hashable, item: Branch) -> Class | None:
        """Return the option whose instance an entry of a dict of nodes can be."""
        file = self.options.get((family.group or "", str(key))) if family.nodes is not None else None
        found = self.of_file(file.config) if file is not None else None
        fits = found is not None and found.family is family.nodes and {*found.content.items} <= {*item.items}
        return found if fits else None

    def leaf(self, item: Leaf, field: Field, module: str) -> Derived | Plain | Required | Made:
        """Return the default of a value."""
        value: Any = item.value
        if value == MISSING:
            return Required()
        holds_node = self.families.of(field) is not None and not self.families.is_data(field)
        if isinstance(value, list) and holds_node:  # an option that is a list, written where it is chosen
            return Made(self._private(module, field, Branch({"items": item}), []))
        if isinstance(item, Following) or has_interpolation(value):
            return Derived(value, item)
        if not holds_node or value is None:
            return Plain(unescaped(value))
        if value == {} and isinstance(value, dict):
            return Made(self._private(module, field, Branch(), []))
        if field.groups:
            self.odd.append((item.place, f"{field.key} holds a node elsewhere, so {value!r} is left out"))
            return Required()
        return Plain(unescaped(value))

    def _slot(self, cls: Class, field: Field, slot: Slot) -> tuple[Default, Class | None]:
        if slot.option is None and not slot.over.items and not slot.under.items:
            return Default(Plain(None), slot), None
        if slot.option == MISSING:
            return Default(Required(), slot), None
        if slot.option is not None and "${" in slot.option:
            name = name_of(slot, self.families, self.options)
            if name is not None:
                return Default(Derived(name), slot), None
            option = self.followed(cls, slot)
            what = f"{field.key} follows {slot.option}; here it is {option}, whatever else is chosen"
            self.odd.append((slot.place, what))
            slot = dataclasses.replace(slot, option=option)
            if option is None:
                field.optional = True
                return Default(Plain(None), slot), None
        target = self.target(slot)
        file = self._file(slot)
        if file is None:
            made = Made(self._private(cls.module, field, target, []))
        else:
            option = self.of_file(file.config)
            if option.family.is_entry:
                return Default(self._dict(field, target, cls.module), slot), None
            made = self.instance(target, option, cls.module)
        return Default(made, slot), made.of

    def followed(self, cls: Class, slot: Slot) -> str | None:
        """Return the option that follows the default choices."""
        from omegaconf import OmegaConf

        of_file = (branch for config, branch in self.contents.items() if self.modules[config] == cls.module)
        items = {**next(of_file, Branch()).items, **cls.content.items}
        known = {str(key): item.option for key, item in items.items() if isinstance(item, Slot) and item.option}
        try:
            option = str(OmegaConf.create({**known, "_": slot.option})["_"]).removesuffix(".yaml")
        except Exception:
            return None
        return option if (slot.group, option) in self.options else None

    def _file(self, slot: Slot) -> File | None:
        return self.options.get((slot.group, slot.option)) if slot.option is not None else None

    def target(self, slot: Slot) -> Branch:
        """Return what a slot holds: the option, with the values around it."""
        file = self._file(slot)
        return target_of(slot, self.contents[file.config] if file is not None else None)

    def instance(self, target: Branch, cls: Class, module: str) -> Made:
        """Return an instance that holds the target: with other values, or of a private subclass for other fields."""
        values: dict[Hashable, Default] = {}
        for key, item in target.items.items():
            old = cls.content.items.get(key)
            if old is not None and same(item, old):
                continue
            field = cls.family.field(key)
            if old is None and not (key in cls.family.added and isinstance(item, Slot)):
                return Made(self._private(module, field, target, [cls], cls))
            if isinstance(item, Leaf):
                value = self.leaf(item, field, module)
                if isinstance(value, Required):
                    return Made(self._private(module, field, target, [cls], cls))
                values[key] = Default(value, item)
            else:
                default, _ = self._default(Class("", module, cls.family, [], target), key, item, cls.child(key))
                if isinstance(default.value, Required):
                    return Made(self._private(module, field, target, [cls], cls))
                values[key] = default
        return Made(cls, values)

    def _private(
        self, module: str, field: Field, target: Branch, bases: list[Class | Family], of: Class | None = None
    ) -> Class:
        """Make a class that is no option, in the file that needs it."""
        family = of.family if of is not None else self.families.of(field) or self._new_family(field, module, target)
        label = of.name.lstrip("_") if of is not None else camel(str(field.key)) if family.is_entry else family.label
        taken = {each.name for each in self.written.get(module, [])}
        name = f"_{family.distinct(label, {each.lstrip('_') for each in taken})}"
        cls = Class(name, module, family, bases or [family], target)
        self.written.setdefault(module, []).append(cls)
        self._fill(cls, bases)
        return cls

    def _new_family(self, field: Field, module: str, target: Branch) -> Family:
        """Return a family for a mapping that no other file has in this place."""
        field.family = Family(camel(str(field.key)), module.rpartition(".")[0] or "runs")
        self.families.add(field.family, target)
        return field.family

    def ordered(self, module: str) -> list[Class]:
        """Return the classes of a module, each after those that it needs."""
        todo, found = list(self.written.get(module, [])), list[Class]()
        while todo:
            ready = next((each for each in todo if not any(needs(each, o) for o in todo if o is not each)), todo[0])
            todo.remove(ready)
            found.append(ready)
        return found


def _is_set_by_options(entries: dict[Hashable, Default], group: str) -> bool:
    """Return whether the files of a group set values in the nodes of a dict, beyond those of their classes."""
    made = [each.value.values for each in entries.values() if isinstance(each.value, Made)]
    leaves = [each.comment for values in made for each in values.values() if isinstance(each.comment, Leaf)]
    inner = any(_is_set_by_options(values, group) for values in made)
    return inner or any(f"{leaf.file.group}/".startswith(f"{group}/") for leaf in leaves)
