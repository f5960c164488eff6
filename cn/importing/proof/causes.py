"""Why an override set is not equal, and the line of YAML that gives Hydra's value."""

from __future__ import annotations

from typing import Any

from cn.errors import short
from cn.importing.conversion import Conversion
from cn.importing.defaults_lists.contents import Branch, Content, Leaf, Slot, target_of
from cn.importing.proof.equal import NOTHING, Difference
from cn.importing.proof.override_sets import listed_patches
from cn.importing.proof.words import Word, Words


class Causes:
    """Finds causes in what was converted."""

    def __init__(self, conversion: Conversion, words: Words) -> None:
        self.conversion, self.words = conversion, words

    def of_difference(self, primary: str, typed: list[Word], found: Difference) -> tuple[str, str]:
        """Return why a value differs, and the line of YAML that gives Hydra's value."""
        item, dropped = self.held(primary, typed, found.keys)
        waits = self.in_patches(primary, typed, found.keys)
        late = isinstance(item, Leaf) and item.file.config == primary and isinstance(waits, Leaf)
        item = waits if waits is not None and not isinstance(item, Leaf) else item
        place = item.place if isinstance(item, (Leaf, Branch)) else ""
        shown = f"{found.address} is {_shown(found.hydra)} with Hydra and {_shown(found.ours)} with CN"
        if dropped:
            return f"{shown}: a value that is set around a choice is dropped with the choice", place
        if (found.ours is NOTHING or found.ours is None) and waits is not None:
            return f"{shown}: a change of a patch waits for its node, which is not chosen", place
        if any(self.replaces(primary, word) for word in typed):
            return f"{shown}: a patch comes after the one that {primary} chooses, which stays", place
        if late:
            return f"{shown}: {primary} sets it after the patch, and here a patch comes after it", place
        if str(found.hydra) == str(found.ours) and any(not self.words.is_group(word) for word in typed):
            return f"{shown}: a typed value takes the type of its field, which is Any with --exact", place
        return shown, place

    def replaces(self, primary: str, word: Word) -> bool:
        """Return whether a word chooses a patch beside another one of its group, whose values are part of the class."""
        chosen = {group: entry.options for group, entry in listed_patches(self.conversion, primary)}
        apart = self.conversion.defaults.groups(self.conversion.files[primary])
        stays = word.group not in apart and chosen.get(word.group) not in (None, word.value)
        return self.words.is_patch(word) and stays

    def place_of_words(self, primary: str, typed: list[Word]) -> str:
        """Return the line of the first value that the words change."""
        for word in typed:
            if not self.words.is_group(word):
                item, _ = self.held(primary, typed, tuple(word.key.split(".")))
                if isinstance(item, Leaf):
                    return item.place
        return ""

    def held(self, primary: str, typed: list[Word], keys: tuple[str, ...]) -> tuple[Any, bool]:
        """Return the item of YAML at an address, and whether it stands around a choice that the words change."""
        item: Any = self.conversion.contents[primary].full
        dropped = False
        chosen = {
            key: choice[0] for content in self._patches(primary, typed) for key, choice in content.choices.items()
        }
        chosen |= {word.key: word.value for word in typed if self.words.is_group(word)}
        for depth, key in enumerate(keys):
            if isinstance(item, Branch):
                item = item.items.get(key)
            if isinstance(item, Slot):
                default = item.option
                names = {item.key, f"{item.group}@{'.'.join(keys[: depth + 1])}"}
                option = next((value for name, value in chosen.items() if name in names), default)
                file = self.conversion.option_files.get((item.group, str(option)))
                content = self.conversion.reader.option(file, item.group).full if file is not None else None
                following = keys[depth + 1] if depth + 1 < len(keys) else None
                dropped = dropped or (option != default and following in {**item.over.items, **item.under.items})
                item = target_of(item, content)
        return item, dropped

    def in_patches(self, primary: str, typed: list[Word], keys: tuple[str, ...]) -> Leaf | Branch | None:
        """Return what the last of the patches that apply sets at an address."""
        found: Leaf | Branch | None = None
        for content in self._patches(primary, typed):
            item: Any = content.full
            for key in keys:
                item = item.over if isinstance(item, Slot) else item
                item = item.items.get(key) if isinstance(item, Branch) else None
            found = item if isinstance(item, (Leaf, Branch)) else found
        return found

    def _patches(self, primary: str, typed: list[Word]) -> list[Content]:
        """Return the patches that apply, in order."""
        files = self.conversion.defaults.patches
        return [self.conversion.reader.patch(files[key]) for key in self.words.applied(primary, typed) if key in files]


def cause_of(error: str) -> str:
    """Return the cause in an error of CN: its first line, with where the field is written."""
    what, *more = error.split("\n")
    place = next((line.strip() for line in more if line.strip().startswith("defined in")), "")
    return f"{what.strip()}{f' ({place})' if place else ''}"


def _shown(value: Any) -> str:
    return "no key" if value is NOTHING else short(repr(value))
