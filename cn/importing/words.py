"""Words of Hydra's command line as words of the new project: `experiment=x` is `patches=[x]`, `a@b.c=x` is `b/c=x`."""

from __future__ import annotations

import re
from typing import NamedTuple

from cn.importing.conversion import Conversion
from cn.importing.families import Family, field_of
from cn.importing.override_sets import listed_patches


class NotTranslated(ValueError):  # noqa: N818
    """The word has no counterpart; the text says why."""


class Word(NamedTuple):
    """One override of Hydra."""

    sign: str  # "", "+", "++" or "~"
    key: str
    value: str | None

    @property
    def group(self) -> str:
        return self.key.partition("@")[0]


def read(word: str) -> Word:
    """Split an override into its parts."""
    found = re.fullmatch(r"(\+\+|\+|~)?([^=]+)(?:=(.*))?", word, flags=re.DOTALL)
    if found is None:
        raise NotTranslated(f"{word} is no override")
    return Word(found[1] or "", found[2], found[3])


class Words:
    """Translates overrides."""

    def __init__(self, conversion: Conversion) -> None:
        self.conversion = conversion
        self.families = conversion.families

    def command(self, primary: str, overrides: list[str]) -> list[str]:
        """Return the words for a primary config and overrides of it. Raises NotTranslated."""
        found = [f"run={self.conversion.runs[primary]}"]
        patches: dict[str, str] = {}
        for text in overrides:
            word = read(text)
            if self.is_hydra(word):
                continue
            if self.is_patch(word):
                patches.update(self.patch(word))
        nulls = {each for name in patches.values() for each in self.conversion.nulls.get(name, ())}
        for text in overrides:
            word = read(text)
            if self.is_hydra(word) or self.is_patch(word):
                continue
            now = self.word(word, patched=bool(patches), kept=self.conversion.kept.get(primary, frozenset()))
            if now.partition("=")[0] not in nulls:  # with Hydra, the patch's null wins over the choice
                found.append(now)
        order = [group for group, _ in listed_patches(self.conversion, primary)]
        named = sorted(patches, key=lambda group: order.index(group) if group in order else len(order))
        if named:
            found.append(f"patches=[{','.join(patches[group] for group in named)}]")
        return found

    def is_group(self, word: Word) -> bool:
        return word.group in self.conversion.reader.groups and (word.value is None or not word.value.startswith("{"))

    def is_hydra(self, word: Word) -> bool:
        """Return whether a word is about Hydra's own settings, which are no part of a run."""
        if word.key.partition(".")[0].partition("/")[0].partition("@")[0] == "hydra":
            return True
        file = self.conversion.files.get(f"{word.group}/{word.value}")
        return self.is_group(word) and file is not None and self.conversion.reader.is_hydra(file)

    def is_patch(self, word: Word) -> bool:
        return self.is_group(word) and (word.group, word.value) in self.conversion.patches

    def patch(self, word: Word) -> dict[str, str]:
        return {word.group: self.conversion.patches[word.group, str(word.value)]}

    def is_extra(self, keys: list[str]) -> bool:
        """Return whether some option lacks the field of an address, so that a patch may have added it."""
        family: Family | None = self.families.run
        for key in keys:
            if family is None or key in family.extra:
                return family is not None
            field = family.fields.get(key)
            family = self.families.of(field) if field is not None else None
        return False

    def word(self, word: Word, *, patched: bool = False, kept: frozenset[str] = frozenset()) -> str:
        """Return one override that chooses no patch. patched: a patch is chosen too. kept: what the run keeps."""
        if not self.is_group(word):
            keys = word.key.split(".")
            names = self.names(keys)
            added = (patched and self.is_extra(keys)) or ".".join(names) in kept
            sign = "++" if added and not word.sign else word.sign
            return f"{sign}{'.'.join(names)}" + ("" if word.value is None else f"={word.value}")
        group, _, package = word.key.partition("@")
        address = (package if "@" in word.key else group.replace("/", ".")).removeprefix("_global_").split(".")
        names = self.names(address)
        if word.sign == "~":
            return f"~{'.'.join(names)}"
        value = word.value or ""
        if value != "null":
            several = re.fullmatch(r"\[(.*)\]", value)
            options = re.findall(r"[^\s,]+", several[1]) if several else [value]
            now = [self._now(group, each.removesuffix(".yaml")) for each in options]
            value = f"[{','.join(now)}]" if several else now[0]
        return f"{'+' * (word.sign == '+')}{'/'.join(names)}={value}"

    def _now(self, group: str, option: str) -> str:
        known = self.option(group, option)
        if known is None:
            raise NotTranslated(f"{group} has no option {option}{self._why(f'{group}/{option}', group)}")
        return known

    def _why(self, config: str, group: str) -> str:
        """Return why a group cannot choose a file below it."""
        own = next((its for its, option in self.conversion.options if f"{its}/{option}" == config), None)
        if own is None:
            return ""
        return (
            f": it is an option of the group {own}, and no file chooses it for {group}; --exact lets {group} choose it"
        )

    def option(self, group: str, option: str) -> str | None:
        """Return the name of an option now; None if it is no option of that group any more."""
        key = (group, option)
        return self.conversion.options.get(key, self.conversion.inner.get(key))

    def names(self, keys: list[str]) -> list[str]:
        """Return the names of the fields of an address."""
        families, found = [self.families.run], list[str]()
        for place, key in enumerate(keys):
            field = field_of(families, key)
            if field is None:
                if key.isdecimal() and field_of(families, "items") is not None:
                    found.append("items")
                return found + keys[place:]
            found.append(field.typed)
            if self.families.is_data(field):
                return found + keys[place + 1 :]
            families = self.families.every_of(field)
        return found
