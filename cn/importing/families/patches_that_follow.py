"""Patches that follow choices, `optional server_db: ${server}_${db}`: their values as derived values of the options."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Hashable, Iterator
from typing import Any

from cn.importing.defaults_lists.contents import MISSING, Branch, Content, Item, Leaf, Slot
from cn.importing.reading.yaml_files import Entry, File


@dataclasses.dataclass
class Case:
    """A value for certain choices: the class that is chosen at each address."""

    classes: dict[str, str]
    value: Any


@dataclasses.dataclass
class Following(Leaf):
    """A value that follows choices; `value` is the one for all other choices."""

    cases: list[Case] = dataclasses.field(default_factory=list[Case])


class Follow:
    """Puts the values of such patches into the options that they are about.

    class_of: the class of an option. contents: of each option by group and option.
    """

    def __init__(
        self,
        contents: dict[tuple[str, str], Branch],
        class_of: Callable[[str, str], str],
        patches: dict[tuple[str, str], File],
    ) -> None:
        self.contents, self.class_of, self.patches = contents, class_of, patches
        self.odd: list[tuple[str, str]] = []

    def put(self, primary: Content, read: Callable[[File], Content], apart: list[str]) -> None:
        """Put the values of all patches that a primary config lets follow choices. apart: groups that are left out."""
        for group, entry in primary.patches:
            if group in apart or not isinstance(entry.options, str) or "${" not in entry.options:
                continue
            for (known, option), file in self.patches.items():
                choices = _choices(entry.options, option) if known == group else None
                if choices and not all((key.replace(".", "/"), each) in self.contents for key, each in choices.items()):
                    what = f"it follows {entry.options}, which are patches; here it is chosen by itself"
                    self.odd.append((self.patches[known, option].shown, what))
                    continue
                for chosen in [choices] if choices else []:
                    for keys, leaf in _leaves(read(file).full, ()):
                        if _sets_later(primary, entry, keys):
                            continue
                        if not self._put(primary.full, keys, leaf, chosen):
                            self.odd.append((leaf.place, f"{'.'.join(map(str, keys))} follows {entry.options}"))

    def _put(self, branch: Branch, keys: tuple[Hashable, ...], leaf: Leaf, chosen: dict[str, str]) -> bool:
        left = dict(chosen)
        for depth, key in enumerate(keys[:-1]):
            item = branch.items.get(key)
            if isinstance(item, Slot):
                option = left.pop(".".join(map(str, keys[: depth + 1])), None)
                inner = self.contents.get((item.group, option)) if option is not None else None
                if inner is None:
                    return False
                branch = inner
            elif isinstance(item, Branch):
                branch = item
            else:
                return False
        old = branch.items.get(keys[-1])
        if not isinstance(old, Leaf):
            return False
        if leaf.value == MISSING:
            return True  # `???` leaves what is there
        if not left:  # the option alone decides
            branch.items[keys[-1]] = leaf
            return True
        classes = {address: self.class_of(address.replace(".", "/"), option) for address, option in left.items()}
        cases = [*old.cases] if isinstance(old, Following) else []
        branch.items[keys[-1]] = Following(old.value, old.file, old.keys, [*cases, Case(classes, leaf.value)])
        return True


def _sets_later(primary: Content, entry: Entry, keys: tuple[Hashable, ...]) -> bool:
    """Return whether a primary config sets a value itself, after an entry of its defaults list."""
    entries = primary.file.entries
    if entry not in entries or any(each.is_self for each in entries[: entries.index(entry)]):
        return False
    item: Item | None = primary.own
    for key in keys:
        item = item.items.get(key) if isinstance(item, Branch) else None
    return item is not None


def _choices(template: str, option: str) -> dict[str, str] | None:
    """Return the choices for which a template gives an option: `${server}_${db}` gives a_b for server a and db b."""
    parts = re.split(r"\$\{([\w./@]+)\}", template)
    names = parts[1::2]
    pattern = "".join("(.+)" if place % 2 else re.escape(part) for place, part in enumerate(parts))
    found = re.fullmatch(pattern, option)
    return dict(zip(names, found.groups(), strict=True)) if found and names else None


def _leaves(branch: Branch, at: tuple[Hashable, ...]) -> Iterator[tuple[tuple[Hashable, ...], Leaf]]:
    for key, item in branch.items.items():
        if isinstance(item, Branch):
            yield from _leaves(item, (*at, key))
        elif isinstance(item, Leaf):
            yield (*at, key), item
