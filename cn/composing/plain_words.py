"""Parse plain words of the command line without Hydra, with the same result as Hydra's grammar, or decline.

Importing Hydra's grammar takes longer than the rest of a command, and most words do not need it: a name with a number,
a bool, null, a text, or a list or dict of these. All other words are left to Hydra's parser.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from cn.composing.verbs import VERBS, Verb
from cn.nodes.texts import Texts

LONGEST = 4000  # letters; Python parses no int of more than 4300 digits
DEEPEST = 20  # nested brackets

NAME, WHOLE = r"[A-Za-z_][A-Za-z0-9_-]*", r"(?:0|[1-9](?:_?[0-9])*)"
POINT = rf"(?:{WHOLE}\.|{WHOLE}?\.[0-9](?:_?[0-9])*)"
LETTER = r"[A-Za-z0-9_/+.%*@?|-]"  # letters that need no quotes; a `:` in a dict is recognized by its surroundings
PART = rf"(?:{NAME}|{WHOLE}|[0-9]+[A-Za-z_-][A-Za-z0-9_-]*)"
KEY = rf"{PART}(?:[./]{PART})*"
OF_HYDRA = re.compile(rf"{NAME}(?:(?:/{NAME})+|(?:\.(?:{NAME}|{WHOLE}))+)?")  # a key that Hydra's grammar knows
WORD = re.compile(rf"(~|\+{{0,2}})({KEY})(?:=(.*))?", re.DOTALL)
INT = re.compile(rf"[+-]?{WHOLE}")
FLOAT = re.compile(rf"[+-]?(?:{POINT}|(?:{WHOLE}|{POINT})[eE][+-]?[0-9](?:_?[0-9])*|inf|nan)", re.IGNORECASE)
ENTRY, TEXT = re.compile(rf"{LETTER}+"), re.compile(rf"{LETTER}+(?::+{LETTER}+)*")  # a dict's key, and a value
QUOTED = re.compile(r"""'[^'"\\]+'|"[^'"\\]+\"""")
SPACE = re.compile(r"[ \t]*")
NAMED = {"true": True, "false": False, "null": None}


class Word(NamedTuple):
    """A parsed word."""

    verb: Verb
    key: str
    value: Any
    texts: Texts | None
    raw: str | None  # the value as typed, without its quotes; None if the word has no value


def is_own(key: str) -> bool:
    """Return whether a key can be read here, and not by Hydra's grammar: `metrics.Loss/value`."""
    return re.fullmatch(KEY, key) is not None and OF_HYDRA.fullmatch(key) is None


class _Declined(Exception):  # noqa: N818  (it is no error)
    """The word is not plain."""


def read(word: str) -> Word | None:
    """Parse a plain word; None if Hydra's parser is needed, which may also reject the word."""
    found = WORD.fullmatch(word) if len(word) <= LONGEST else None
    if found is None or (found[3] is None and found[1] != "~"):
        return None
    verb, key, raw = VERBS[found[1]], found[2], found[3]
    if raw is None:
        return Word(verb, key, None, None, None)
    if raw == "":
        return Word(verb, key, "", "", "")
    try:
        value, texts, end = _element(raw, 0, 0)
    except _Declined:
        return None
    if end != len(raw):
        return None
    return Word(verb, key, value, texts, value if raw[0] in "'\"" else raw)


def quoted(text: str, mark: str | None = None) -> str:
    """Quote a text as a word's value, by default in double quotes, since a shell puts the word into single quotes.

    A backslash is literal unless a quote follows; before a quote, each backslash is doubled.
    """
    mark = mark or ("'" if '"' in text else '"')
    inner = re.sub(rf"(\\*){mark}", lambda found: rf"{found[1] * 2}\{mark}", text)
    behind = inner[len(inner.rstrip("\\")) :]
    return f"{mark}{inner}{behind}{mark}"


def _element(text: str, at: int, depth: int) -> tuple[Any, Texts, int]:
    """Parse the value at a position; return the value, its texts, and the position after it."""
    if text[at : at + 1] in ("[", "{") and depth < DEEPEST:
        return (_list if text[at] == "[" else _dict)(text, at + 1, depth + 1)
    if found := QUOTED.match(text, at):
        return found[0][1:-1], found[0][1:-1], found.end()
    if found := TEXT.match(text, at):
        return _scalar(found[0]), found[0], found.end()
    raise _Declined


def _scalar(text: str) -> Any:
    if text.lower() in NAMED:
        return NAMED[text.lower()]
    return int(text) if INT.fullmatch(text) else float(text) if FLOAT.fullmatch(text) else text


def _list(text: str, at: int, depth: int) -> tuple[Any, Texts, int]:
    values: list[Any] = []
    texts: list[Texts] = []
    at, last = _next(text, at, "]", "")
    while not last:
        value, own, at = _element(text, at, depth)
        values.append(value)
        texts.append(own)
        at, last = _next(text, at, "]")
    return values, texts, at


def _dict(text: str, at: int, depth: int) -> tuple[Any, Texts, int]:
    values: dict[Any, Any] = {}
    texts: dict[Any, tuple[str, Texts]] = {}
    at, last = _next(text, at, "}", "")
    while not last:
        name = ENTRY.match(text, at)
        key = _scalar(name[0]) if name else ...
        if name is None or key in values or isinstance(key, float):
            raise _Declined
        at = _after_space(text, name.end())
        if text[at : at + 1] != ":":
            raise _Declined
        values[key], own, at = _element(text, _after_space(text, at + 1), depth)
        texts[key] = (name[0], own)
        at, last = _next(text, at, "}")
    return values, texts, at


def _next(text: str, at: int, closing: str, comma: str = ",") -> tuple[int, bool]:
    """Return the position after the comma or closing bracket, and whether it was the bracket."""
    at = _after_space(text, at)
    if text.startswith(closing, at):
        return at + 1, True
    if not text.startswith(comma, at):
        raise _Declined
    return _after_space(text, at + len(comma)), False


def _after_space(text: str, at: int) -> int:
    found = SPACE.match(text, at)
    return found.end() if found else at
