"""The override sets that prove an import: every option of every group once, values of each type, combinations."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any, cast

from cn.importing.conversion import Conversion
from cn.importing.defaults_lists.contents import Branch, Content, Slot
from cn.importing.defaults_lists.packages import override_key, place_of
from cn.importing.reading.yaml_files import Entry

Case = tuple[str, list[str]]  # a primary config and overrides


def required(conversion: Conversion, primary: str) -> list[str]:
    """Return the choices without which a primary config does not compose, each with the first option that is whole."""
    found: list[str] = []
    for key, slot in slots(conversion.contents[primary].full, ()):
        if slot.option == "???":
            found += [f"{key}={option}" for option in whole_first(conversion, slot.group)[:1]]
    for group, entry in listed_patches(conversion, primary):
        if entry.options == "???":
            found += [f"{group}={option}" for option in whole_first(conversion, group)[:1]]
    return found


def listed_patches(conversion: Conversion, primary: str) -> list[tuple[str, Entry]]:
    """Return the groups of patches that defaults lists choose: of the primary config, then of what it chooses."""
    found = list(conversion.contents[primary].patches)
    for _, slot in slots(conversion.contents[primary].full, ()):
        file = conversion.option_files.get((slot.group, str(slot.option)))
        found += conversion.reader.option(file, slot.group).patches if file is not None else []
    return found


def patch_key(conversion: Conversion, group: str) -> str:
    """Return what the command line calls the choice of a patch of a group: `task@_global_` where that is needed."""
    every = [each for primary in conversion.primaries for each in listed_patches(conversion, primary)]
    package = next((entry.package for its, entry in every if its == group and entry.package), None)
    return f"{group}@{package}" if package else group


def options(conversion: Conversion, group: str) -> list[str]:
    """Return the options of a group, patches too."""
    made = {key for key, file in conversion.option_files.items() if file.is_made}  # Hydra knows none of them
    return sorted({key[1] for key in [*conversion.options, *conversion.patches] if key[0] == group and key not in made})


def whole_first(conversion: Conversion, group: str) -> list[str]:
    """Return the options of a group, first those of which no file names another that is not there."""
    lost = {place.partition(":")[0] for place, _ in conversion.reader.lost}

    def is_broken(content: Content) -> bool:
        return content.file.shown in lost or any(map(is_broken, content.bases))

    def rank(option: str) -> bool:
        file = conversion.option_files.get((group, option))
        return file is not None and is_broken(conversion.reader.option(file, group))

    return sorted(options(conversion, group), key=rank)


def slots(branch: Branch, at: tuple[str, ...]) -> Iterator[tuple[str, Slot]]:
    """Yield each choice of a branch with its key on the command line."""
    for key, item in branch.items.items():
        here = (*at, str(key))
        if isinstance(item, Slot):
            yield override_key(item.group, ".".join(here)), item
            yield from slots(item.over, here)
        elif isinstance(item, Branch):
            yield from slots(item, here)


def singles(conversion: Conversion, primary: str) -> dict[str, list[str]]:
    """Return, for each key that chooses, an override for each option."""
    found: dict[str, list[str]] = {}
    for key, slot in slots(conversion.contents[primary].full, ()):
        if slot.entry.group is not None and (slot.option is not None or slot.entry.line):
            found[key] = [f"{key}={each}" for each in options(conversion, slot.group) if each != slot.option]
    listed = {group for group, _ in listed_patches(conversion, primary)}
    for group in dict.fromkeys(group for group, _ in conversion.patches):  # a set has another order in each process
        if group in found:  # it has options that are no patches too
            continue
        key = f"{'' if group in listed else '+'}{patch_key(conversion, group)}"
        found[key] = [f"{key}={each}" for each in options(conversion, group)]
    return {key: words for key, words in found.items() if words}


def sets(conversion: Conversion, primary: str, base: list[str], composed: Any, most: int, seed: int) -> list[Case]:
    """Return at most `most` cases of a primary config. composed: what Hydra makes of its base, unresolved."""
    rng = random.Random(f"{primary}{seed}")
    choices = singles(conversion, primary)
    keys = {place_of(key)[1] for key in choices}

    def with_base(words: list[str]) -> list[str]:
        keys = {word.partition("=")[0].lstrip("+") for word in words}
        return [*(word for word in base if word.partition("=")[0] not in keys), *words]

    found = [base, *(with_base([word]) for words in choices.values() for word in words)]
    values = [with_base([word]) for word in value_words(composed, rng) if word.partition("=")[0] not in keys]
    combined: list[list[str]] = []
    for _ in range(max(4, most // 5) if len(choices) > 1 else 0):
        picked = rng.sample(sorted(choices), min(len(choices), rng.choice([2, 3])))
        combined.append(with_base([*(rng.choice(choices[key]) for key in picked), *rng.choice(values or [[]])[-1:]]))
    share = most * 6 // 10
    if len(found) > share:
        found = [base, *rng.sample(found[1:], max(0, share - 1))]
    rest = [*values[: max(2, most * 3 // 10)], *combined]
    every = [*found, *rest][:most]
    return [(primary, list(each)) for each in dict.fromkeys(map(tuple, every))]


def value_words(composed: Any, rng: random.Random) -> list[str]:
    """Return overrides that set values, two of each type."""
    kinds: dict[str, list[str]] = {}
    for path, value in leaves(composed, ()):
        word = value_word(path, value, rng)
        if word:
            kind = "interpolation" if isinstance(value, str) and "${" in value else type(value).__name__
            kinds.setdefault(kind, []).append(word)
    picked = {kind: rng.sample(words, min(2, len(words))) for kind, words in kinds.items()}
    return [words[place] for place in range(2) for words in picked.values() if place < len(words)]


def value_word(path: str, value: Any, rng: random.Random) -> str | None:
    """Return an override that changes a value, after its type."""
    if "._" in f".{path}":
        return None
    if isinstance(value, bool):
        return f"{path}={str(not value).lower()}"
    if isinstance(value, int):
        return f"{path}={value + rng.choice([1, 7, -3])}"
    if isinstance(value, float):
        return f"{path}={rng.choice(['0.125', '1e-3', '2.5e4', '3'])}"
    if value is None:
        return f"{path}={rng.choice(['5', 'abc', 'true'])}"
    if value == "???":
        return f"{path}=some_name"
    if isinstance(value, str):
        return f"{path}={rng.choice(['other', '12'])}"
    return f"{path}={rng.choice(['[]', '[1,2,3]'])}" if isinstance(value, list) else None


def leaves(value: Any, at: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yield the addresses that can be typed, with their values."""
    if isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            if re.fullmatch(r"[A-Za-z_][\w-]*", key):
                yield from leaves(item, (*at, key))
    elif at:
        yield ".".join(at), value
