"""The groups of a tree that are chosen, and the options and patches of each."""

from __future__ import annotations

from cn.importing.defaults_lists.contents import Branch, Content, Slot, slots_of
from cn.importing.defaults_lists.packages import group_path, option_of
from cn.importing.defaults_lists.reader import Reader
from cn.importing.reading.yaml_files import Entry, File


class Groups:
    """used: groups that are chosen somewhere. options, patches: the file of each, by group and option.

    inner: the group of an option that another group above it can choose too, by that group and the path from there.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.used: set[str] = set()
        self.options: dict[tuple[str, str], File] = {}
        self.patches: dict[tuple[str, str], File] = {}
        self.inner: dict[tuple[str, str], str] = {}

    def reachable(self) -> dict[tuple[str, str], File]:
        """Return the file of each option, also by the groups above its own that can choose it."""
        return {**self.options, **{(above, path): self.reader.files[f"{above}/{path}"] for above, path in self.inner}}

    def find_inner(self, *, exact: bool) -> None:
        """Find the options that the tree chooses for a group above their own; exact: or can choose."""
        chosen = {
            (group_path(entry.group, file.group), option_of(each))
            for file in self.reader.files.values()
            for entry in file.entries
            if entry.group is not None
            for each in (entry.options if isinstance(entry.options, list) else [entry.options])
        }
        for group, option in self.options:
            for above in self.used:
                path = f"{group}/{option}".removeprefix(f"{above}/")
                if group.startswith(f"{above}/") and (exact or (above, path) in chosen):
                    self.inner[above, path] = group

    def group_of(self, slot: Slot) -> str:
        """Return the group of the option of a slot."""
        return self.inner.get((slot.group, str(slot.option)), slot.group)

    def find(self, contents: dict[str, Content]) -> None:
        """Find the groups that are chosen, and the options of each; the rest of a folder's path is in the name."""
        slots = [slot for content in contents.values() for slot in slots_of(content.full)]
        for file in list(self.reader.files.values()):
            if file.group and not file.group.startswith("hydra"):
                content = self.reader.content(file)
                slots += [slot for branch in (content.full, *content.outside.values()) for slot in slots_of(branch)]
        self.used = {slot.group for slot in slots if self.reader.groups.get(slot.group)}
        for file in self.reader.files.values():
            homes = file.homes
            if not homes or homes[-1] == "hydra" or self.reader.is_hydra(file):
                continue
            if file.group in self.reader.spread and self.reader.is_spread(file, file.group):
                self.patches[file.group, file.name] = file
            elif self.reader.is_patch(file):
                home = next((each for each in homes if each in self.reader.patch_groups), homes[-1])
                self.patches[home, file.config[len(home) + 1 :]] = file
            else:
                group = next((each for each in homes if each in self.used), homes[-1])
                self.used.add(group)
                self.options[group, file.config[len(group) + 1 :]] = file

    def optional_slots(self, contents: dict[str, Content]) -> None:
        """Let every run choose what any run can choose at the top."""
        chosen = {
            slot.group: slot
            for content in contents.values()
            for key, slot in content.full.items.items()
            if isinstance(slot, Slot) and key == slot.group
        }
        everywhere = {slot.group for config in self.reader.files.values() for slot in slots_of(self._full(config))}
        for group in sorted(self.used):
            if "/" in group or (group in everywhere and group not in chosen):
                continue
            for content in contents.values():
                if group not in content.full.items:
                    entry = Entry(group, None, None, True, False, 0)  # no line: it is in no file
                    content.full.items[group] = Slot(group, None, group, entry, content.file)

    def slots_of_patches(self, contents: dict[str, Content]) -> None:
        """Let every run choose what patches choose at the top, in a field that nothing else fills."""
        items = [each for file in self.patches.values() for each in self.reader.patch(file).full.items.items()]
        held = {key for content in contents.values() for key in content.full.items}
        held |= {key for key, item in items if not isinstance(item, Slot) or item.replaces}
        for key, slot in items:
            if isinstance(slot, Slot) and key not in held and slot.group in self.used:
                entry = Entry(slot.group, None, None, True, False, 0)  # no line: it is in no file
                for content in contents.values():
                    content.full.items[key] = Slot(slot.group, None, slot.key, entry, content.file)

    def _full(self, file: File) -> Branch:
        hydra = file.group.startswith("hydra")
        return Branch() if hydra else self.reader.content(file, "" if not file.group else "\0").full


def with_bases(contents: dict[str, Content], reader: Reader) -> None:
    """Take the primary configs that others extend into those to convert, each without what the others override."""
    todo = list(contents.values())
    while todo:
        for base in todo.pop().bases:
            if not base.file.group and base.file.config not in contents:
                contents[base.file.config] = reader.content(base.file, "")
                todo.append(base)
