"""Names that Python and the command line accept, for files, classes and fields of a YAML tree."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterable
from typing import cast

from cn.errors import DefinitionError
from cn.nodes.class_body import RESERVED, TARGET
from cn.nodes.node import CN
from cn.nodes.notes import Key

METHODS = frozenset(name for name in [*dir(CN), *dir(type(CN))] if not name.startswith("_")) | {"build"}
BUILTINS = frozenset(dir(builtins))


def slug(name: str) -> str:
    """Return the nearest name of a file: `bert-nrms` is `bert_nrms`, `1x1` is `x1x1`, `lambda` is `lambda_`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"\W+", "_", plain).strip("_") or "x"
    if plain[0].isdigit():
        plain = f"x{plain}"
    return f"{plain}_" if keyword.iskeyword(plain) or plain.lower() == "null" else plain


def distinct(names: Iterable[str], taken: Iterable[str] = (), suffix: str = "") -> dict[str, str]:
    """Return a slug for each name. One that is taken (case ignored) gets the suffix, and then a number."""
    used = {each.lower() for each in taken}
    found: dict[str, str] = {}
    for name in sorted(set(names), key=lambda name: (slug(name) != name, name)):
        best = slug(name)
        number = 2
        if best.lower() in used and suffix:
            best = f"{best}{suffix}"
        while best.lower() in used:
            best = f"{slug(name)}_{number}"
            number += 1
        used.add(best.lower())
        found[name] = best
    return found


def by_last_part(paths: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Return a slug for each path: of its last part, or of the whole if others end alike. No two give one class.

    taken: names of classes that none may have.
    """
    known = sorted(paths)
    ends = Counter(camel(path.rpartition("/")[2]).lower() for path in known)
    used = {each.lower() for each in taken}
    found: dict[str, str] = {}
    for path in known:
        last = path.rpartition("/")[2]
        label = best = slug(last if ends[camel(last).lower()] == 1 else path)
        number = 2
        while camel(best).lower() in used:
            best, number = f"{label}_{number}", number + 1
        used.add(camel(best).lower())
        found[path] = best
    return found


def camel(name: str) -> str:
    """Return the name of a class: `early_stopping` is `EarlyStopping`, `ViT-small` is `ViTSmall`."""
    words = [word for word in re.split(r"[^A-Za-z0-9]+", slug(name)) if word]
    made = "".join(word[:1].upper() + word[1:] for word in words) or "X"
    if made[0].isdigit():
        made = f"X{made}"
    return f"{made}_" if keyword.iskeyword(made) or made in BUILTINS or made in ("CN", "Any", "Literal") else made


def is_attribute(key: Hashable) -> bool:
    """Return whether a key of YAML can be the name of a field."""
    if not isinstance(key, str) or not key.isidentifier() or not key.isascii() or keyword.iskeyword(key):
        return False
    if key.startswith("_"):
        return key in TARGET
    return key not in RESERVED and key not in METHODS


def can_be_key(key: Hashable) -> bool:
    """Return whether `Key` takes a key of YAML."""
    try:
        Key(cast("str", key))
    except DefinitionError:
        return False
    return True


def attribute(key: str, taken: Iterable[str] = ()) -> str:
    """Return the name of a field for a key that cannot be one: `class` is `class_`, `Loss/x` is `Loss_x`."""
    best = re.sub(r"\W+", "_", unicodedata.normalize("NFKD", key).encode("ascii", "ignore").decode()).strip("_") or "x"
    if best[0].isdigit():
        best = f"x{best}"
    if not is_attribute(best):
        best = f"{best}_"
    while best in taken:
        best = f"{best}_"
    return best
