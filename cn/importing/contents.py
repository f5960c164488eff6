"""What a YAML file holds once its defaults list is followed: values, branches, and slots where an option is chosen.

Defaults lists are followed as Hydra 1.3 does, with a mark in place of the package that the file is loaded at. So a file
is read once, wherever it is used: what begins with the mark is its own, all else is at an absolute address.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from typing import Any, cast

from cn.importing.yaml_files import Entry, File

MISSING = "???"
HERE = "\0"  # stands for the package of the file that is read


@dataclasses.dataclass
class Leaf:
    """A value that is no mapping, or an empty one."""

    value: Any
    file: File
    keys: tuple[Hashable, ...]

    @property
    def place(self) -> str:
        return self.file.place(self.keys)


@dataclasses.dataclass
class Branch:
    """A mapping. own: the file whose text it is, unless several files made it."""

    items: dict[Hashable, Item] = dataclasses.field(default_factory=dict[Hashable, "Item"])
    file: File | None = None
    keys: tuple[Hashable, ...] = ()


@dataclasses.dataclass
class Slot:
    """A place where an option of a group is chosen.

    option: None if none is chosen, `???` if the user must. over: values that beat those of the option; under: values
    that the option's beat. key: what the command line calls it.
    """

    group: str
    option: str | None
    key: str
    entry: Entry
    file: File
    over: Branch = dataclasses.field(default_factory=Branch)
    under: Branch = dataclasses.field(default_factory=Branch)
    replaces: bool = False  # only the option of the slot that is there is replaced: an `override` of a defaults list


Item = Leaf | Branch | Slot


@dataclasses.dataclass
class Content:
    """All that a file means. bases: files that it extends, the strongest last; choices: `override` entries by key."""

    file: File
    own: Branch
    bases: list[Content]
    choices: dict[str, tuple[str | None, Entry, File]]
    patches: list[tuple[str, Entry]]  # groups of patches, with the entries that choose one of them
    outside: dict[str, Branch]  # what stands at absolute packages
    listed: list[tuple[Entry, File, str]]  # entries of several options, or that are no group: not to be chosen again
    full: Branch = dataclasses.field(default_factory=Branch)


class Reader:
    """Follows defaults lists. files: by Hydra's name."""

    def __init__(self, files: dict[str, File]) -> None:
        self.files = files
        self.groups: dict[str, list[File]] = {}  # with the options in folders below
        for file in files.values():
            parts = file.group.split("/") if file.group else []
            for depth in range(1, len(parts) + 1):
                self.groups.setdefault("/".join(parts[:depth]), []).append(file)
        self._read: dict[tuple[str, str, str], Content] = {}
        self._reading: list[str] = []
        self.home = ""
        self.lost: list[tuple[str, str]] = []  # (place, why) of entries that could not be followed

    def option(self, file: File, group: str) -> Content:
        """Return the content of a file as an option of a group, from the place where the option is chosen."""
        home = group.replace("/", ".")
        package = HERE
        if file.package is not None and file.package.startswith(f"{home}."):
            package = HERE + file.package[len(home) :]
        content = self.content(file, package, home)
        if package == HERE:
            return content
        full = Branch(file=file)
        merge(_descend(full, tuple(package.split(".")[1:])), content.full)
        return dataclasses.replace(content, full=full, bases=[])

    def patch(self, file: File) -> Content:
        """Return the content of a patch, from the root of a run."""
        content = self.content(file, file.package or "")
        if not file.package:
            return content
        full = Branch(file=file)
        merge(_descend(full, tuple(file.package.split("."))), content.full)
        return dataclasses.replace(content, full=full)

    def content(self, file: File, package: str = HERE, home: str = "") -> Content:
        """Return the content of a file that is loaded at a package.

        home: the package of the group that the file is an option of; an absolute package below it is the option's own.
        """
        at = (file.config, package, home)
        if at not in self._read:
            if file.config in self._reading:
                self.lost.append((file.shown, f"its defaults lead back to it: {' -> '.join(self._reading)}"))
                return Content(file, Branch(), [], {}, [], {}, [])
            self._reading.append(file.config)
            self.home = home
            self._read[at] = self._follow(file, package)
            self.home = home
            self._reading.pop()
        return self._read[at]

    def is_patch(self, file: File) -> bool:
        """Return whether a file of a group sets values elsewhere than at the group: `# @package _global_`."""
        home = file.group.partition("/")[0]
        return bool(home) and file.package is not None and not f"{file.package}.".startswith(f"{home}.")

    def is_hydra(self, file: File) -> bool:
        """Return whether a file holds Hydra's own settings."""
        package = file.package if file.package is not None else file.group.replace("/", ".")
        return f"{package}.".startswith("hydra.")

    def _follow(self, file: File, package: str) -> Content:
        content = Content(file, Branch(file=file), [], {}, [], {}, [])
        entries = list(file.entries)
        if not any(each.is_self for each in entries):  # as Hydra 1.3 has it: at the end
            entries.append(Entry(None, "_self_", None, False, False, 1))
        merged = Branch(file=file)
        for entry in entries:
            if entry.is_self:
                body = branch_of(file.body, file)
                if package == "":
                    body.items.pop("hydra", None)
                content.own = body
                merge(merged, body)
            elif _is_hydra(entry, file):
                continue
            elif entry.override:
                self._override(content, entry, package)
            else:
                self._entry(content, merged, entry, package)
        for key, (option, entry, where) in content.choices.items():
            group, at = place_of(key)
            relative = _relative(at, package)
            if relative:
                _place_slot(merged, relative, Slot(group, option, key, entry, where, replaces=True))
        content.full = merged
        return content

    def _override(self, content: Content, entry: Entry, package: str) -> None:
        group = _group_path(entry.group or "", content.file.group)
        options = entry.options
        key = override_key(group, _package(entry, package, entry.group or "", None))
        chosen = options if not isinstance(options, list) else None
        if isinstance(options, list):
            content.listed.append((entry, content.file, key))
        else:
            content.choices[key] = (_option(chosen), entry, content.file)

    def _entry(self, content: Content, merged: Branch, entry: Entry, package: str) -> None:
        file = content.file
        if entry.group is None:
            path = str(entry.options)
            config = path.removeprefix("/") if path.startswith("/") else _joined(file.group, path)
            self._load(content, merged, entry, package, config, path.removeprefix("/").rpartition("/")[0], None)
            return
        group = _group_path(entry.group, file.group)
        if isinstance(entry.options, list):
            content.listed.append((entry, file, override_key(group, _package(entry, package, entry.group, None))))
            for option in entry.options:
                self._load(content, merged, entry, package, f"{group}/{_option(option)}", entry.group, None)
            return
        option = _option(entry.options)
        options = self.groups.get(group, [])
        chosen = self.files.get(_normal(f"{group}/{option}"))
        if entry.package is None and (
            self.is_patch(chosen) if chosen is not None else any(map(self.is_patch, options))
        ):
            content.patches.append((group, entry))
            if chosen is not None:
                self._load(content, merged, entry, package, chosen.config, entry.group, None)
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
        at = self._inside(_package(entry, package, entry.group, None), package)
        relative = _relative(at, package)
        slot = Slot(_normal(group), option, override_key(_normal(group), at), entry, file)
        if relative is None or relative == ():
            if chosen is not None:
                self._load(content, merged, entry, package, chosen.config, entry.group, None)
            return
        _place_slot(merged, relative, slot)

    def _load(
        self, content: Content, merged: Branch, entry: Entry, package: str, config: str, written: str, _: None
    ) -> None:
        """Merge a file into the content: as a base at the same package, else below it, or at an absolute package."""
        file = content.file
        target = self.files.get(_normal(config))
        if target is None:
            if not entry.optional:
                self.lost.append((f"{file.shown}:{entry.line}", f"there is no {config}.yaml"))
            return
        home = self.home
        at = self._inside(_package(entry, package, written, target.package), package)
        relative = _relative(at, package)
        inner = self.content(target, at, home)
        self.home = home
        for key, choice in inner.choices.items():
            content.choices.setdefault(key.replace(HERE, package), choice)
        content.patches += inner.patches
        content.listed += inner.listed
        for outside, branch in inner.outside.items():
            merge(content.outside.setdefault(outside, Branch()), branch)
        if relative is None:
            merge(content.outside.setdefault(at, Branch()), inner.full)
        elif relative == ():
            content.bases.append(inner)
            merge(merged, inner.full)
        elif target.group and entry.group is None and not isinstance(entry.options, list) and target.package is None:
            slot = Slot(target.group, target.name, override_key(target.group, at), entry, file)
            _place_slot(merged, relative, slot)
            content.listed.append((entry, file, slot.key))
        else:
            merge(_descend(merged, relative), inner.full)

    def _inside(self, at: str, package: str) -> str:
        """Return an absolute package with the mark if it is one of the option that is read."""
        if package.startswith(HERE) and self.home and f"{at}.".startswith(f"{self.home}."):
            return HERE + at[len(self.home) :]
        return at


def branch_of(value: Any, file: File, keys: tuple[Hashable, ...] = ()) -> Branch:
    """Return the body of a file, or a part of it, as a branch. A list at the top becomes the item `items`."""
    if not isinstance(value, dict):
        return Branch({"items": Leaf(value, file, keys)}, file, keys)
    branch = Branch(file=file, keys=keys)
    for key, item in cast("dict[Hashable, Any]", value).items():
        inner = (*keys, key)
        nested = isinstance(item, dict) and len(cast("dict[Hashable, Any]", item)) > 0
        branch.items[key] = branch_of(item, file, inner) if nested else Leaf(item, file, inner)
    return branch


def merge(into: Branch, other: Branch) -> None:
    """Merge a branch into another, as OmegaConf merges mappings: the other's values win."""
    for key, item in other.items.items():
        old = into.items.get(key)
        if isinstance(item, Branch):
            if isinstance(old, Branch):
                merge(old, item)
            elif isinstance(old, Slot):
                merge(old.over, item)
            else:
                into.items[key] = copied(item)
        elif isinstance(item, Slot):
            _place_slot(into, (key,), copied(item))
        elif old is not None and item.value == MISSING:
            continue  # `???` leaves what is there
        elif isinstance(old, (Slot, Branch)) and _is_empty(item):
            continue
        else:
            into.items[key] = item


def _is_empty(item: Leaf) -> bool:
    return item.value == {} and isinstance(item.value, dict)


def _place_slot(into: Branch, relative: tuple[Hashable, ...], slot: Slot) -> None:
    holder = _descend(into, relative[:-1])
    old = holder.items.get(relative[-1])
    if slot.replaces and not isinstance(old, Leaf):
        changed = dataclasses.replace(old, option=slot.option) if isinstance(old, Slot) else slot
        if isinstance(old, Branch):
            changed.over = copied(old)
        holder.items[relative[-1]] = changed
        return
    if isinstance(old, Branch):
        merged = copied(old)
        merge(merged, slot.under)
        slot.under = merged
    elif isinstance(old, Slot):  # two options at one place: the later one, over what the first holds
        slot.under = old.under
        for extra in (old.over,):
            merge(slot.under, extra)
    holder.items[relative[-1]] = slot


def _descend(branch: Branch, keys: tuple[Hashable, ...]) -> Branch:
    for key in keys:
        inner = branch.items.get(key)
        if isinstance(inner, Slot):
            branch = inner.over
        elif isinstance(inner, Branch):
            branch = inner
        else:
            made = Branch()
            branch.items[key] = made
            branch = made
    return branch


def copied(item: Any) -> Any:
    """Return a copy of branches and slots; leaves are shared."""
    if isinstance(item, Branch):
        return Branch({key: copied(each) for key, each in item.items.items()}, item.file, item.keys)
    if isinstance(item, Slot):
        return dataclasses.replace(item, over=copied(item.over), under=copied(item.under))
    return item


def override_key(group: str, package: str) -> str:
    """Return what the command line calls a choice: `optim@algo.optimizer`, or `model` at the group's own package."""
    if package == group.replace("/", "."):
        return group
    return f"{group}@{package or '_global_'}"


def place_of(key: str) -> tuple[str, str]:
    """Return the group of a choice, and its package: `optim@algo.optimizer` is ("optim", "algo.optimizer")."""
    group, found, package = key.partition("@")
    return group, package.removeprefix("_global_") if found else group.replace("/", ".")


def _package(entry: Entry, parent: str, written: str, header: str | None) -> str:
    """Return the package of an entry of a defaults list, as Hydra does: absolute, or with the mark."""
    package = entry.package
    if package == "_here_":
        package = ""
    if package is not None and "_group_" in package:
        package = package.replace("_group_", written.removeprefix("/").replace("/", "."))
    if package is None:
        if header is not None:
            return header
        package = "/".join(part for part in written.removeprefix("/").split("/") if part != "..").replace("/", ".")
    joined = f"{parent}.{package}" if parent and package else parent or package
    _, found, after = joined.rpartition("_global_")
    return after.removeprefix(".") if found else joined


def _relative(package: str, parent: str) -> tuple[str, ...] | None:
    """Return the address of a package below another; None if it is elsewhere."""
    if package == parent:
        return ()
    if parent == "":
        return tuple(package.split("."))
    return tuple(package[len(parent) + 1 :].split(".")) if package.startswith(f"{parent}.") else None


def _group_path(group: str, base: str) -> str:
    return group[1:] if group.startswith("/") else _joined(base, group)


def _joined(base: str, path: str) -> str:
    return _normal(f"{base}/{path}" if base else path)


def _normal(path: str) -> str:
    """Follow `.` and `..` of a path, and leave out `.yaml`."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts[-1:] = []
        elif part not in (".", ""):
            parts.append(part)
    return "/".join(parts).removesuffix(".yaml").removesuffix(".yml")


def _option(value: Any) -> str | None:
    return None if value is None else str(value).removesuffix(".yaml").removesuffix(".yml")


def _is_hydra(entry: Entry, file: File) -> bool:
    """Return whether an entry chooses a part of Hydra's own configuration."""
    path = entry.group if entry.group is not None else str(entry.options)
    full = path[1:] if path.startswith("/") else _joined(file.group, path)
    return full == "hydra" or full.startswith("hydra/")
