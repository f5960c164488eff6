"""The patches that a primary config chooses itself: which of them its class names, and which the words of a command."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from cn.importing.defaults_lists.contents import MISSING, Branch, Content, Item, Leaf, Slot, copied, merge, target_of
from cn.importing.defaults_lists.packages import FOLLOWED, chosen_by, group_path, joined, option_of
from cn.importing.defaults_lists.reader import Reader
from cn.importing.reading.yaml_files import Entry, File
from cn.nodes.class_body import TARGET

Key = tuple[str, str]  # of a patch: its group and option
Typed = Mapping[str, str | None]  # what words choose, by group
OPTION = "\0option"  # no key of YAML


class DefaultPatches:
    """Knows the patches that primary configs choose. patches: the file of each, by group and option.

    `reader.apart` tells which of these choices a class names; the values of all others are part of the class.
    """

    def __init__(self, reader: Reader, patches: dict[Key, File]) -> None:
        self.reader, self.patches = reader, patches
        self.keys = {file.config: key for key, file in patches.items()}
        self.options = Counter(group for group, _ in patches)

    def of(self, primary: File, typed: Typed) -> list[Key]:
        """Return the patches that a primary config applies apart from its class, if the words choose these options."""
        chosen = [each for each in self._entries(primary) if (each[2].config, each[0]) in self.reader.apart]
        typed = {**self.reader.content(primary, "").replaced, **typed}
        return [key for each in chosen for key in self._applied(*each, typed)]

    def groups(self, primary: File) -> list[str]:
        """Return the groups of these patches, and of those that they consist of."""
        return list(dict.fromkeys(group for group, _ in self._apart(primary)))

    def followed(self, primary: File) -> list[str]:
        """Return the other choices that these patches follow: `accelerator` of `${training}_${accelerator}`."""
        entries = [entry for group, entry, file in self._entries(primary) if (file.config, group) in self.reader.apart]
        names = [name for entry in entries for name in FOLLOWED.findall(str(entry.options))]
        return [name for name in dict.fromkeys(names) if name not in self.reader.patch_groups]

    def fields(self, primary: File) -> Branch:
        """Return what all options of these groups set, each value as `???`: the class has these fields."""
        found = Branch()
        for group, target in self._apart(primary):
            if target is not None and not self._is_list(target):
                options = [self.reader.patch(file).full for key, file in self.patches.items() if key[0] == group]
                merge(found, _shared(self.reader.patch(target).full, options, target))
        return found

    def _apart(self, file: File) -> Iterator[tuple[str, File | None]]:
        """Yield each group whose patch the class names, with that patch. If that patch lists others, theirs follow."""
        for group, entry, holder in self._entries(file):
            if file.group or (holder.config, group) in self.reader.apart:
                target = self._target(group, entry, holder, {})
                yield group, target
                yield from self._apart(target) if target is not None and self._is_list(target) else ()

    def _entries(self, file: File, above: tuple[str, ...] = ()) -> Iterator[tuple[str, Entry, File]]:
        """Yield the choices of patches in a defaults list, and in those of the primary configs that it extends."""
        for entry in file.entries:
            if entry.group is None:
                base = self.reader.named(joined(self.reader.start(file), str(entry.options)))
                if base is not None and not base.group and base.config not in (*above, file.config):
                    yield from self._entries(base, (*above, file.config))
            elif not entry.override and entry.package in (None, "_global_") and not isinstance(entry.options, list):
                group = group_path(entry.group, self.reader.start(file))
                if group in self.reader.patch_groups:
                    yield group, entry, file

    def _option(self, group: str, entry: Entry, file: File, typed: Typed) -> str | None:
        """Return the option that is chosen, where `${training}_${model}` follows other choices."""
        if group in typed:
            return typed[group]
        known = {**chosen_by(file), **typed}
        option = FOLLOWED.sub(lambda found: known.get(found[1]) or "", option_of(entry.options) or "")
        return option if option not in ("", MISSING) else None

    def _target(self, group: str, entry: Entry, file: File, typed: Typed) -> File | None:
        option = self._option(group, entry, file, typed)
        return None if option is None else self.reader.named(f"{group}/{option}")

    def _is_list(self, file: File) -> bool:
        """Return whether a patch holds nothing but patches of other groups."""
        return not file.body and len(list(self._entries(file))) == sum(not each.is_self for each in file.entries)

    def _applied(self, group: str, entry: Entry, file: File, typed: Typed) -> list[Key]:
        option, target = self._option(group, entry, file, typed), self._target(group, entry, file, typed)
        if option is None or (target is None and entry.optional):
            return []
        if target is None:
            return [(group, option)]  # Hydra refuses it too
        if self._is_list(target):
            inner = list(self._entries(target))
            if any(each[0] in typed for each in inner):
                return [key for each in inner for key in self._applied(*each, typed)]
        return [self.keys[target.config]] if target.config in self.keys else []

    def put_apart(self, contents: dict[str, Content]) -> bool:
        """Decide which patches the classes name: those that change nothing on top of all that a primary config holds.

        contents: of the primary configs, with all patches. Returns whether there is one, so that they are read anew.
        """
        choices = {(file.config, group) for each in contents.values() for group, _, file in self._chosen(each.file)}
        todo: set[tuple[str, str]] | None = None
        while todo != choices:
            todo = set(choices)
            for content in contents.values():
                choices -= self._changing(content, choices)
        self.reader.apart = choices
        return bool(choices)

    def _chosen(self, file: File) -> list[tuple[str, File, File]]:
        """Return the patches that could be named: one of several. For each its group, its file, and who chooses it."""
        found: list[tuple[str, File, File]] = []
        replaced = self.reader.content(file, "").replaced
        for group, entry, holder in self._entries(file):
            target = self._target(group, entry, holder, replaced)
            if target is None or target.config not in self.keys or self.options[self.keys[target.config][0]] == 1:
                continue
            found.append((group, target, holder))
        return found

    def _changing(self, content: Content, choices: set[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return the choices whose patches would change what a primary config holds, if they came last."""
        accepted: list[File] = []
        refused: set[tuple[str, str]] = set()
        for group, patch, holder in reversed(self._chosen(content.file)):
            if (holder.config, group) not in choices:
                continue
            changed = copied(content.full)
            for each in (patch, *accepted):
                merge(changed, copied(self.reader.patch(each).full))
            if self._same(content.full, changed):
                accepted.insert(0, patch)
            else:
                refused.add((holder.config, group))
        return refused

    def _same(self, one: Branch, other: Branch) -> bool:
        """Return whether two contents mean the same, whichever options are chosen."""
        return self._plain(one) == self._plain(other) and all(
            self._plain(dataclasses.replace(slot, option=file.name))
            == self._plain(dataclasses.replace(now, option=file.name))
            for slot, now in _slots(one, other)
            if slot.over.items != now.over.items
            for file in self.reader.groups.get(slot.group, [])
            if file.group == slot.group
        )

    def _plain(self, item: Item) -> Any:
        """Return what is held, with the options that are chosen, as plain values that can be compared."""
        if isinstance(item, Leaf):
            return {} if item.value == {} else repr(item.value)
        if isinstance(item, Branch):
            return {key: self._plain(each) for key, each in item.items.items()}
        file = self.reader.named(f"{item.group}/{item.option}") if item.option is not None else None
        content = self.reader.option(file, item.group).full if file is not None else None
        return {**self._plain(target_of(item, content)), OPTION: item.option}


def _shared(branch: Branch, options: list[Branch], file: File) -> Branch:
    """Return the keys of a mapping that all others have too, with `???` in place of each value.

    What they build is no value: it stays if it is the same for all, else the whole mapping is `???`.
    """
    found = Branch(file=file, keys=branch.keys)
    for key, item in branch.items.items():
        others = [each.items.get(key) for each in options]
        if isinstance(item, Branch) and all(isinstance(each, Branch) for each in others):
            inner = [each for each in others if isinstance(each, Branch)]
            alike = len({repr([_value(each, name) for name in sorted(TARGET)]) for each in inner}) == 1
            found.items[key] = _shared(item, inner, file) if alike else Leaf(MISSING, file, item.keys)
        elif isinstance(item, Leaf) and all(isinstance(each, Leaf) for each in others):
            found.items[key] = item if key in TARGET else Leaf(MISSING, item.file, item.keys)
    return found


def _value(branch: Branch, key: str) -> Any:
    item = branch.items.get(key)
    return item.value if isinstance(item, Leaf) else None


def _slots(one: Branch, other: Branch) -> Iterator[tuple[Slot, Slot]]:
    for key, item in one.items.items():
        now = other.items.get(key)
        if isinstance(item, Slot) and isinstance(now, Slot):
            yield item, now
            yield from _slots(item.over, now.over)
        elif isinstance(item, Branch) and isinstance(now, Branch):
            yield from _slots(item, now)
