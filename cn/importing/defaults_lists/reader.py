"""Follow defaults lists as Hydra 1.3 does, with a mark in place of the package that the file is loaded at.

So a file is read once, wherever it is used: what begins with the mark is its own, all else is at an absolute address.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable

from cn.importing.defaults_lists.contents import (
    HERE,
    Branch,
    Content,
    Slot,
    branch_of,
    descend,
    merge,
    place_slot,
    target_of,
)
from cn.importing.defaults_lists.outside import outside_of, put
from cn.importing.defaults_lists.packages import (
    FOLLOWED,
    chooses_hydra,
    chosen_by,
    group_path,
    joined,
    normal,
    option_of,
    override_key,
    package_of,
    place_of,
    relative_to,
)
from cn.importing.defaults_lists.starts import at_home
from cn.importing.defaults_lists.tree import Tree
from cn.importing.reading.yaml_files import Entry, File


class Reader(Tree):
    """Follows defaults lists."""

    def __init__(self, files: dict[str, File], unread: Iterable[File] = ()) -> None:
        super().__init__(files, unread)
        self.single: set[str] = set()  # groups of which one option is chosen somewhere
        self._read: dict[tuple[str, str, str, tuple[tuple[str, tuple[str, ...]], ...]], Content] = {}
        self._lists: dict[str, tuple[str, ...]] = {}  # what files above override: several options, or a patch
        self._reading: list[str] = []
        self.patch_groups: set[str] = set()  # groups of patches that defaults lists choose from
        self.apart: set[tuple[str, str]] = set()  # (file, group) of choices of patches that are not merged
        self.at_home = at_home(files, self.start)
        self.home = ""
        self.lost: list[tuple[str, str]] = []  # (place, why) of entries that could not be followed
        self.takes_outside = False  # primary configs hold what their options put outside of themselves
        self.held: set[str] = set()  # the options of which they hold it
        self.spread: set[str] = set()  # groups whose options set values of the node around them: `# @package task`

    def option(self, file: File, group: str) -> Content:
        """Return the content of a file as an option of a group, from the place where the option is chosen."""
        home = group.replace("/", ".")
        package = HERE
        if group in self.at_home and file.package is not None and file.package.startswith(f"{home}."):
            package = HERE + file.package[len(home) :]
        content = self.content(file, package, home)
        if package == HERE:
            return content
        full = Branch(file=file)
        merge(descend(full, tuple(package.split(".")[1:])), content.full)
        return dataclasses.replace(content, full=full, bases=[])

    def anew(self, contents: dict[str, Content]) -> dict[str, Content]:
        """Return the contents of primary configs, read again: without the patches that are apart."""
        self._read = {at: content for at, content in self._read.items() if self.files[at[0]].group}
        return {name: self.content(content.file, "") for name, content in contents.items()}

    def with_outside(self, contents: dict[str, Content]) -> dict[str, Content]:
        """Return the contents of primary configs, read again: with what their options put outside of themselves."""
        self.takes_outside = True
        self._read.clear()
        return self.anew(contents)

    def patch(self, file: File) -> Content:
        """Return the content of a patch, from the root of a run."""
        content = self.content(file, file.package or "")
        if not file.package:
            return content
        full = Branch(file=file)
        merge(descend(full, tuple(file.package.split("."))), content.full)
        return dataclasses.replace(content, full=full)

    def content(self, file: File, package: str = HERE, home: str = "") -> Content:
        """Return the content of a file that is loaded at a package.

        home: the package of the group that the file is an option of; an absolute package below it is the option's own.
        """
        at = (file.config, package, home, tuple(self._lists.items()))
        if at not in self._read:
            if file.config in self._reading:
                self.lost.append((file.shown, f"its defaults lead back to it: {' -> '.join(self._reading)}"))
                return Content(file)
            self._reading.append(file.config)
            self.home = home
            self._read[at] = self._follow(file, package)
            self.home = home
            self._reading.pop()
        return self._read[at]

    def _follow(self, file: File, package: str) -> Content:
        content = Content(file, Branch(file=file))
        entries = list(file.entries)
        if not any(each.is_self for each in entries):  # as Hydra 1.3 has it: at the end
            entries.append(Entry(None, "_self_", None, False, False, 1))
        merged, lists = Branch(file=file), self._lists
        own: dict[str, tuple[str, ...]] = {}
        for each in entries:
            if each.override and (isinstance(each.options, list) or self._replaces(each, file)):
                options = each.options if isinstance(each.options, list) else [str(each.options)]
                own[self._key(each, file, package)] = tuple(options)
        self._lists = {**own, **lists}
        for entry in entries:
            if entry.is_self:
                body = branch_of(file.body, file)
                if package == "":
                    body.items.pop("hydra", None)
                content.own = body
                merge(merged, body)
            elif chooses_hydra(entry, file):
                continue
            elif entry.override:
                self._override(content, merged, entry, package)
            else:
                self._entry(content, merged, entry, package)
        self._lists = lists
        for key, (option, entry, where) in content.choices.items():
            group, at = place_of(key)
            relative = relative_to(at, package)
            if relative:
                place_slot(merged, relative, Slot(group, option, key, entry, where, replaces=True))
        content.full = merged
        return content

    def _override(self, content: Content, merged: Branch, entry: Entry, package: str) -> None:
        group = group_path(entry.group or "", self.start(content.file))
        options = entry.options
        file = self.named(f"{group}/{options}")
        spread = entry.package is None and file is not None and self.is_spread(file, group)
        replaces = self._replaces(entry, content.file)
        if replaces:
            content.replaced[group] = str(option_of(options))
        if file is not None and (spread or (replaces and content.file.group)):
            self.spread |= {group} if spread else set()
            self._load(content, merged, entry, package, file.config, group)  # a patch extends the one that it chooses
        if spread or replaces:
            return
        key = self._key(entry, content.file, package)
        at_once = isinstance(options, list) and group in self.single
        if isinstance(options, list) and at_once and all(self.named(f"{group}/{each}") for each in options):
            content.choices[key] = (self.at_once(group, options, entry).name, entry, content.file)
        elif isinstance(options, list):
            content.listed.append((entry, content.file, key))
        else:
            content.choices[key] = (option_of(entry.options), entry, content.file)

    def _replaces(self, entry: Entry, file: File) -> bool:
        """Return whether an `override` chooses a patch in place of another."""
        chosen = self.named(f"{group_path(entry.group or '', self.start(file))}/{entry.options}")
        return entry.package is None and chosen is not None and self.is_patch(chosen)

    def _key(self, entry: Entry, file: File, package: str) -> str:
        """Return what the command line calls the choice of an entry."""
        group = group_path(entry.group or "", self.start(file))
        return override_key(group, self._at(entry, file, package, entry.group or ""))

    def _entry(self, content: Content, merged: Branch, entry: Entry, package: str) -> None:
        file = content.file
        if entry.group is None:
            path = str(entry.options)
            config = path.removeprefix("/") if path.startswith("/") else joined(self.start(file), path)
            self._load(content, merged, entry, package, config, path.removeprefix("/").rpartition("/")[0])
            return
        group = group_path(entry.group, self.start(file))
        if isinstance(entry.options, list):
            key = self._key(entry, file, package)
            content.listed.append((entry, file, key))
            for option in self._lists.get(key, entry.options):
                self._load(content, merged, entry, package, f"{group}/{option_of(option)}", entry.group)
            return
        option = option_of(self._lists.get(self._key(entry, file, package), [entry.options])[0])
        options = self.groups.get(group, [])
        chosen = self.named(f"{group}/{option}")
        known = [chosen] if chosen is not None else options
        spread = any(self.is_spread(each, group) for each in known)
        if (entry.package is None and spread) or (
            entry.package in (None, "_global_") and any(map(self.is_patch, known))
        ):
            self.spread |= {group} if spread else set()
            content.patches.append((group, entry))
            self.patch_groups.add(group)
            chosen = chosen or self._follows(file, group, option)
            if chosen is not None and (file.config, group) in self.apart:
                content.patches += self.patch(chosen).patches
            elif chosen is not None:
                self._load(content, merged, entry, package, chosen.config, entry.group)
            return
        if not options and option is not None and chosen is None:
            if not entry.optional:
                self.lost.append((file.place(), f"group {group} has no option"))
            return
        if chosen is None and option not in (None, "???") and "${" not in str(option):
            if not entry.optional:
                self.lost.append((f"{file.shown}:{entry.line}", f"{group} has no option {option}"))
                return
            option = None
        at = self._at(entry, file, package, entry.group)
        relative = relative_to(at, package)
        slot = Slot(normal(group), option, override_key(normal(group), at), entry, file)
        if relative is None and at and option is not None:
            put(content, merged, package, at.rpartition(".")[0], Branch({at.rpartition(".")[2]: slot}))
            self.single.add(slot.group)
            return
        if relative is None or relative == ():
            if chosen is not None:
                self._load(content, merged, entry, package, chosen.config, entry.group)
            elif option is not None:
                self.lost.append(
                    (f"{file.shown}:{entry.line}", f"{group}: {option} is left out, since it fills no key")
                )
            return
        self._beneath(merged, relative, slot)
        place_slot(merged, relative, slot)
        self.single.add(slot.group)
        for each in outside_of([slot], self._chosen) if package == "" and self.takes_outside else ():
            self.held.add(each.file.config)
            for outside, branch in each.outside.items():
                put(content, merged, package, outside, branch)

    def _chosen(self, slot: Slot) -> Content | None:
        """Return the content of the option that is chosen, if there is one."""
        home = self.home
        file = self.named(f"{slot.group}/{slot.option}") if slot.option is not None else None
        found = self.option(file, slot.group) if file is not None else None
        self.home = home
        return found

    def _beneath(self, merged: Branch, relative: tuple[Hashable, ...], slot: Slot) -> None:
        """Write out the option of another group that is chosen at the same place, since one field is one choice."""
        holder = descend(merged, relative[:-1])
        old = holder.items.get(relative[-1])
        option = self._chosen(old) if isinstance(old, Slot) and old.group != slot.group else None
        if isinstance(old, Slot) and option is not None:
            holder.items[relative[-1]] = target_of(old, option.full)
            why = f"{old.group}: {old.option} is written out, since {slot.group} is chosen at the same place"
            self.lost.append((old.place, why))

    def _load(self, content: Content, merged: Branch, entry: Entry, package: str, config: str, written: str) -> None:
        """Merge a file into the content: as a base at the same package, else below it, or at an absolute package."""
        file = content.file
        target = self.named(config)
        if target is None:
            if not entry.optional:
                self.lost.append((f"{file.shown}:{entry.line}", f"there is no {config}.yaml"))
            return
        home = self.home
        at = self._at(entry, file, package, written, target.package)
        relative = relative_to(at, package)
        inner = self.content(target, at, home)
        self.home = home
        for key, choice in inner.choices.items():
            content.choices.setdefault(key.replace(HERE, package), choice)
        content.patches += inner.patches
        content.replaced = {**inner.replaced, **content.replaced}
        content.listed += inner.listed
        for outside, branch in inner.outside.items():
            put(content, merged, package, outside, branch)
        if relative is None:
            put(content, merged, package, at, inner.full)
        elif relative == ():
            content.bases.append(inner)
            merge(merged, inner.full)
        elif target.group and entry.group is None and not isinstance(entry.options, list) and target.package is None:
            slot = Slot(target.group, target.name, override_key(target.group, at), entry, file)
            place_slot(merged, relative, slot)
            content.listed.append((entry, file, slot.key))
        else:
            merge(descend(merged, relative), inner.full)

    def _follows(self, file: File, group: str, option: str | None) -> File | None:
        """Return the patch that follows the patches of a defaults list: `training/model: ${training}_${model}`."""
        names, known = FOLLOWED.findall(option or ""), chosen_by(file)
        if not all(map(known.get, names)) or not self.patch_groups.intersection(names):
            return None
        return self.named(f"{group}/{FOLLOWED.sub(lambda found: str(known[found[1]]), str(option))}")

    def _at(self, entry: Entry, file: File, package: str, written: str, header: str | None = None) -> str:
        """Return the package of an entry, with the mark if it is one of the option that is read."""
        at = package_of(entry, package, written, header, self.start(file))
        if package.startswith(HERE) and self.home and f"{at}.".startswith(f"{self.home}."):
            return HERE + at[len(self.home) :]
        return at
