"""Suggest the value that a user probably meant by a value of the wrong type."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from cn import program
from cn.composing.overrides import Assignment, parse
from cn.errors import UserError

ZERO = re.compile(r"(?<![\w.])([+-]?)0+(?=[0-9])")
OTHER_BASE = re.compile(r"(?<![\w.])0(?:[xX][0-9a-fA-F]{1,15}|[oO][0-7]{1,15}|[bB][01]{1,60})(?!\w)")
RANGE = re.compile(r"([+-]?[0-9]{1,15})(?:\.{2,3}|-|:)([+-]?[0-9]{1,15})")
QUOTED = "what is in quotes is a text"
WORDS = {"yes": "true", "on": "true", "no": "false", "off": "false", "none": "null", "nil": "null"}


def meant(each: Assignment, fits: Callable[[Assignment], bool]) -> list[str]:
    """Return why the value is not what it seems, and the word to write; an empty list if no suggestion fits."""
    key, _, typed = each.word.partition("=")
    found = RANGE.fullmatch(typed)
    if found and not program.script.startswith("-m "):
        first, last = int(found[1]), int(found[2])
        (one,) = parse([f"{key}={first}"])
        if first < last and fits(one):
            word = program.quoted(f"{key}=range({first},{last + 1})")
            return [f"for one run each: python {program.script} -m {word}"]
    for why, other in _others(typed):
        try:
            (one,) = parse([f"{key}={other}"])
        except UserError:
            if why not in ("", QUOTED):  # the number repeats a key of the dict
                return [why]
            continue
        if other != typed and fits(one):
            return [*([why] if why else []), f"write: {program.said(key, other)}"]
    return []


def _others(typed: str) -> Iterator[tuple[str, str]]:
    if zero := ZERO.search(typed):
        number = re.match(r"[+-]?[0-9]+", typed[zero.start() :])
        yield f"{number[0] if number else ''} is a text, since no number begins with 0", ZERO.sub(r"\1", typed)
    if other := OTHER_BASE.search(typed):
        decimal = OTHER_BASE.sub(lambda each: str(int(each[0], 0)), typed)
        yield f"{other[0]} is a text, since numbers are decimal", decimal
    yield QUOTED, re.sub("[\"']", "", typed)
    if typed.lower() in WORDS:
        yield "", WORDS[typed.lower()]
