"""Words of Hydra's command line as words of the new project: `experiment=x` is `patches=[x]`, `a@b.c=x` is `b/c=x`."""

from __future__ import annotations

import re
from typing import NamedTuple

from cn.importing.conversion import Conversion
from cn.importing.defaults_lists.packages import option_of, place_of
from cn.importing.families.families import Family
from cn.importing.proof.override_sets import listed_patches


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
        typed = [word for word in map(read, overrides) if not self.is_hydra(word)]
        applied, default = self.applied(primary, typed), self.applied(primary, [])
        names = self.patches(applied)
        nulls = {each for name in names for each in self.conversion.nulls.get(name, ())}
        for word in typed:
            if self.is_patch(word) or self.leaves_out(primary, word):
                continue
            now = self.word(word, patched=bool(names), kept=self.conversion.kept.get(primary, frozenset()))
            if now.partition("=")[0] not in nulls:  # with Hydra, the patch's null wins over the choice
                found.append(now)
        if applied != default:
            adds = bool(default) and applied[: len(default)] == default
            found.append(f"{'+' * adds}patches=[{','.join(names[len(default) * adds :])}]")
        return found

    def patches(self, keys: list[tuple[str, str]]) -> list[str]:
        """Return the names of patches, by group and option. Raises NotTranslated for one that is not there."""
        return [self._patch(*key) for key in keys]

    def applied(self, primary: str, typed: list[Word]) -> list[tuple[str, str]]:
        """Return the patches that apply, by group and option: those of the primary config, and those that are typed."""
        file, defaults = self.conversion.files[primary], self.conversion.defaults
        groups = filter(self.is_group, typed)
        chosen = {word.group: None if word.sign == "~" or word.value == "null" else word.value for word in groups}
        patches = {word.group: str(word.value) for word in typed if self.is_patch(word)}
        for key in patches.items():  # a patch with `override /training: big` extends that patch, and comes in its place
            for each in self.conversion.reader.patch(defaults.patches[key]).replaced:
                chosen.setdefault(each, None)
        found, own = defaults.of(file, chosen), defaults.groups(file)
        listed = listed_patches(self.conversion, primary)
        more = [key for key in patches.items() if key[0] not in own]
        if not {*more} <= {(group, option_of(entry.options)) for group, entry in listed}:  # the class holds these
            found += more
        order = [group for group, _ in listed]
        return sorted(found, key=lambda key: order.index(key[0]) if key[0] in order else len(order))

    def leaves_out(self, primary: str, word: Word) -> bool:
        """Return whether a word leaves out a patch that the primary config chooses: `training=null`, `~training`."""
        drops = word.sign == "~" or word.value == "null"
        return drops and word.group in self.conversion.defaults.groups(self.conversion.files[primary])

    def _patch(self, group: str, option: str) -> str:
        if (group, option) not in self.conversion.patches:
            raise NotTranslated(f"{group} has no option {option}")
        return self.conversion.patches[group, option]

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
            names = self.families.typed(keys)
            added = (patched and self.is_extra(keys)) or ".".join(names) in kept
            sign = "++" if added and not word.sign else word.sign
            return f"{sign}{'.'.join(names)}" + ("" if word.value is None else f"={word.value}")
        group, address = place_of(word.key)
        names = self.families.typed(address.split("."))
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
