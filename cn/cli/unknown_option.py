"""An unknown option: most likely a field, set in the style of other programs (`--epochs 3`)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Any

from cn import program
from cn.composing import plain_words
from cn.composing.choices import tolerant
from cn.composing.overrides import check
from cn.composing.patches import KEY
from cn.errors import UserError, lines, nearest
from cn.nodes.field_types import SCALARS, Child, Kind
from cn.nodes.node import CN
from cn.nodes.resolving import kinds_of
from cn.nodes.traversal import address_of, is_field, walk

SHOWN = 4  # keys
NUMBER = re.compile(r"-\.?[0-9].*")


def unknown(contract: Any, base: CN | None, words: list[str], flag: str, known: list[str]) -> str:
    """Return the message for an unknown option; `contract` is None if the program runs no node."""
    option, equal, value = flag.partition("=")
    value = value if equal else _after(words, flag)
    value = value if _readable(value) else plain_words.quoted(value)
    start = base if base is not None else contract
    root = tolerant(start, [each for each in words if "=" in each and each[0] != "-"]) if start is not None else None
    fields = dict(_fields(root)) if root is not None else {}
    keys, flags = _near(option, fields, known)
    offered = [program.said(key, value or _any(fields.get(key))) for key in keys]
    if option.lstrip("-") in (KEY, KEY.removesuffix("es")):
        offered = [program.said(KEY, f"[{value or 'NAME'}]")]
    if len(offered) == 1:
        instead = f"write: {offered[0]}"
    else:
        instead = f"nearest: {', '.join(offered or flags)}" if offered or flags else None
    return lines(f"there is no option {option}", instead, f"see: python {program.script} --help")


def _near(option: str, fields: Collection[str], known: list[str]) -> tuple[list[str], list[str]]:
    """Return the keys that an option may mean, else the options with a similar spelling."""
    name = option.lstrip("-").replace("-", "_")
    exact = [key for key in fields if name in (key, key.replace("/", "."), re.split("[./]", key)[-1])]
    if exact:
        return ([name] if name in fields else exact[:SHOWN]), []
    if "." in name:  # perhaps a field of a node that is not chosen: its own error explains that
        return [name], []
    if flags := get_close_matches(option, known, cutoff=0.75):
        return [], flags
    if len(name) == 1:
        found = [key for key in fields if key.startswith(name) and not {".", "/"} & set(key)]
    else:
        found = get_close_matches(name, fields)
    if found:
        return found[:SHOWN], []
    bare = {each.lstrip("-"): each for each in known}  # two dashes in common are no likeness
    return [], [bare[each] for each in nearest(option.lstrip("-"), bare)]


def _fields(root: CN) -> Iterator[tuple[str, Kind]]:
    """Yield the key of every field: with dots for a value, with slashes for a node."""
    for address, node in walk(root):
        for name, kind in kinds_of(node).items():
            if is_field(name):
                key = address_of(address, type(node), name)
                yield (key.replace(".", "/") if isinstance(kind, Child) else key), kind


def _after(words: list[str], flag: str) -> str:
    """Return the word after an option, if it can be the option's value."""
    following = words[words.index(flag) + 1 :][:1] if flag in words else []
    return next((word for word in following if "=" not in word and (word[:1] != "-" or NUMBER.fullmatch(word))), "")


def _readable(value: str) -> bool:
    try:
        check([f"x={value}"])
    except UserError:
        return False
    return True


def _any(kind: Kind | None) -> str:
    return "true" if kind is SCALARS[bool] else "NAME" if isinstance(kind, Child) else "VALUE"
