"""A word that Hydra's grammar cannot read: which letter is the cause, and the nearest word that it can."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cn import command, grammar
from cn.errors import lines, short

BRACKETS = {"(": ")", "[": "]", "{": "}"}
ELEMENTS = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^][{},:]+""", re.DOTALL)
MOST = 20  # elements of a list that are put in quotes
TOKENS = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|\\.|[][(){}]""", re.DOTALL)


def message(word: str, error: grammar.UnreadableError | None) -> str:
    """What to tell of a word that is no override, or one without a name."""
    what = f"{short(repr(word))} cannot be read as NAME=VALUE"
    if re.fullmatch(r"[\w./]+", word, re.ASCII):
        return lines(what, f"write: {word}=VALUE")
    if error is None:
        return lines(what, "it begins with no name")
    why = str(error) if error.at is None else _why(word, error.at)
    better = next(filter(_readable, _others(word, error.at)), None)
    return lines(what, why, f"write: {command.quoted(better)}" if better else None)


def _why(word: str, at: int) -> str:
    """What is wrong with the letter at that place, or with the bracket before it that is still open."""
    letter, equal, opened = word[at : at + 1], word.find("="), _opened(word[:at])
    if not letter and opened:
        return f"{word[opened[-1]]!r} is not closed"
    if not letter:
        return f"nothing follows {word[-1:]!r}" if word else "it is empty"
    what = f"its letter {at + 1}, {short(repr(letter))},"
    if equal < 0 or at < equal:
        return f"{what} cannot be in a name"
    if word[at - 1 : at + 1] == "${":
        return "'${' is not closed"
    if letter in "'\"" and word.find(letter, at + 1) < 0:
        return f"{what} is a quote that is not closed"
    if letter in BRACKETS.values() and not opened:
        return f"{what} closes nothing"
    return f"{what} {'comes too early' if letter in ',:)]}' else 'must be quoted'}"


def _others(word: str, at: int | None) -> Iterator[str]:
    """Words that may be meant, the most likely one first."""
    key, equal, value = word.partition("=")
    if not equal:
        return
    if key != key.strip(" -"):
        yield f"{key.strip(' -')}={value}"
    if at is not None and word[at - 1 : at + 1] == "${":
        yield f"{word}}}"
    if at is not None and value[:1] in BRACKETS:
        yield _with_quotes(word, at)
    if at is not None and (value[:1] in BRACKETS or word[at:].strip() in ("", ",") or word[at] == ","):
        yield word[:at] + "".join(BRACKETS[word[place]] for place in reversed(_opened(word[:at]))) + word[at:]
        yield re.sub(r"[, ]+\Z", "", word[:at]) + word[at:]
        yield (word[:at] + word[at + 1 :]).rstrip(", ")
    if value:
        yield f"{key}={grammar.quoted(value)}"


def _with_quotes(word: str, at: int | None) -> str:
    """The word with quotes around each element in which a letter must be quoted."""
    for _ in range(MOST):
        at = at if at is not None else len(word)
        begin = max((place for place in _opened(word[:at]) if word[place] != "("), default=len(word))
        elements = ELEMENTS.finditer(word, begin + 1)
        found = next((each for each in elements if each.start() <= at < each.end()), None)
        if found is None:
            break
        word = f"{word[: found.start()]}{grammar.quoted(found[0].strip())}{word[found.end() :]}"
        try:
            grammar.read(word)
            break
        except grammar.UnreadableError as error:
            at = error.at
    return word


def _readable(word: str) -> bool:
    """Whether it may be shown, and is read."""
    if len(word) > command.LONGEST or not word.isprintable():
        return False
    try:
        return bool(grammar.read(word).key_or_group)
    except grammar.UnreadableError:
        return False


def _opened(word: str) -> list[int]:
    """The places of the brackets that are still open at the end."""
    places: list[int] = []
    for found in TOKENS.finditer(word):
        if found[0] in BRACKETS:
            places.append(found.start())
        elif found[0] in BRACKETS.values() and places:
            places.pop()
    return places
