"""Explain a word that Hydra's grammar rejects: the wrong letter, and the nearest word that can be parsed."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from cn import program
from cn.composing import grammar, plain_words
from cn.errors import short

BRACKETS = {"(": ")", "[": "]", "{": "}"}
ELEMENTS = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^][{},:]+""", re.DOTALL)
MOST = 20  # elements that are quoted in a list
KEY = re.compile(r"""(["'])([^"']*)\1(?=\s*:)""")
SPECIAL = re.compile(r"[\\()\[\]{}:=,\t]")
TOKENS = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|\\.|[][(){}]""", re.DOTALL)


class Offer(NamedTuple):
    """A suggested word and the label before it."""

    label: str
    word: str
    several: bool = False  # whether the word may be a sweep
    whole: bool = False  # whether the other words of the command that was typed are shown beside it


def one_run_each(word: str) -> list[Offer]:
    """Return the offer to run a sweep by `-m`; none for a module of ours, which has no `-m`."""
    if program.script.startswith("-m "):
        return []
    return [Offer(f"for one run each: python {program.script} -m ", word, several=True, whole=True)]


def message(
    word: str, error: grammar.UnreadableError | None, *, several: bool = False
) -> tuple[list[str], list[Offer]]:
    """Return the message and the offers for a word without a name or with a syntax error; `several`: allow sweeps."""
    what = f"{short(repr(word))} cannot be read as NAME=VALUE"
    if re.fullmatch(r"[\w./]+", word, re.ASCII):
        return [what, f"write: {word}=VALUE"], []
    if error is None:
        return [what, "it does not begin with a name"], []
    why = str(error) if error.at is None else _why(word, error.at)
    key, _, value = word.partition("=")
    parts = _parts(value)
    swept = f"{key}={','.join(parts)}" if len(parts) > 1 else ""
    one = list(_others(word, error.at))
    if swept and several:
        one.insert(0, swept)
    elif swept:
        one.append(f"{key}=[{','.join(parts)}]")
    offers = [Offer("write: ", each, several) for each in dict.fromkeys(one)]
    if swept and not several:
        offers += one_run_each(swept)
    return [what, why], [each for each in offers if _readable(each.word)]


def _parts(value: str) -> list[str]:
    """Split a value at the commas outside of brackets, and quote each part that cannot be parsed."""
    ends = [-1, *(at for at in range(len(value)) if value[at] == "," and not _within(value, at)), len(value)]
    parts = [value[begin + 1 : end].strip() for begin, end in itertools.pairwise(ends)]
    return [_part(each) for each in parts] if len(parts) <= MOST and all(parts) else []


def _within(value: str, at: int) -> bool:
    """Return whether a position is inside a bracket or quotes."""
    quoted = any(found.start() < at < found.end() for found in TOKENS.finditer(value))
    return quoted or bool(_opened(value[:at]))


def _part(value: str) -> str:
    if _readable(f"x={value}"):
        return value
    if value[:1] in BRACKETS:
        better = _with_quotes(f"x={value}")
        if _readable(better):
            return better.removeprefix("x=")
    return plain_words.quoted(value)


def _why(word: str, at: int) -> str:
    """Return what is wrong with the letter at that position, or which bracket before it is still open."""
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
    if letter in "'\"" and opened and word[opened[-1]] == "{" and KEY.match(word, at):
        return f"{what} quotes a key, which takes no quotes"
    if letter in "'\"" and word.find(letter, at + 1) < 0:
        return f"{what} is a quote that is not closed"
    if letter in BRACKETS.values() and not opened:
        return f"{what} closes nothing"
    return f"{what} {'comes too early' if letter in ',:)]}' else 'must be quoted'}"


def _others(word: str, at: int | None) -> Iterator[str]:
    """Yield words that the user may have meant, the most likely first."""
    key, equal, value = word.partition("=")
    if not equal:
        return
    if key != key.strip(" -"):
        yield f"{key.strip(' -')}={value}"
    if at is not None and word[at - 1 : at + 1] == "${":
        yield f"{word}}}"
    if at is not None and value[:1] in BRACKETS:
        yield _with_quotes(word)
    if at is not None and (value[:1] in BRACKETS or word[at:].strip() in ("", ",") or word[at] == ","):
        yield word[:at] + "".join(BRACKETS[word[place]] for place in reversed(_opened(word[:at]))) + word[at:]
        yield re.sub(r"[, ]+\Z", "", word[:at]) + word[at:]
        yield (word[:at] + word[at + 1 :]).rstrip(", ")
        closed = re.sub(r"[, ]+\Z", "", word)
        yield closed + "".join(BRACKETS[closed[place]] for place in reversed(_opened(closed)))
    if "{" in value and KEY.search(value):
        yield f"{key}={KEY.sub(_unquoted_key, value)}"
    if value:
        yield f"{key}={plain_words.quoted(value)}"
    if at is not None and word[at : at + 1] in BRACKETS.values() and not _opened(word[:at]):
        yield f"{key}={next(begin for begin, end in BRACKETS.items() if end == word[at])}{value}"
    if value[:1] == "{" and value[-1:] == "}" and ":" not in value:
        yield f"{key}=[{value[1:-1]}]"
    if (plain := unicodedata.normalize("NFKC", value)) != value:
        yield f"{key}={plain}"


def _unquoted_key(found: re.Match[str]) -> str:
    return SPECIAL.sub(r"\\\g<0>", found[2])


def _with_quotes(word: str) -> str:
    """Quote each element of the word that contains a wrong letter."""
    quoted: set[str] = set()  # do not quote twice: the word would double in length and still be unreadable
    for _ in range(MOST):
        try:
            grammar.read(word)
            break
        except grammar.UnreadableError as error:
            at = len(word) if error.at is None else error.at
        begin = max((place for place in _opened(word[:at]) if word[place] != "("), default=len(word))
        elements = ELEMENTS.finditer(word, begin + 1)
        found = next((each for each in elements if each.start() <= at < each.end()), None)
        if found is None or found[0] in quoted:
            break
        quoted.add(element := plain_words.quoted(found[0].strip()))
        word = f"{word[: found.start()]}{element}{word[found.end() :]}"
    return word


def _readable(word: str) -> bool:
    """Return whether the word can be printed and parsed."""
    if len(word) > program.LONGEST or not word.isprintable():
        return False
    try:
        return bool(grammar.read(word).key_or_group)
    except grammar.UnreadableError:
        return False


def _opened(word: str) -> list[int]:
    """Return the positions of the brackets that are still open at the end."""
    places: list[int] = []
    for found in TOKENS.finditer(word):
        if found[0] in BRACKETS:
            places.append(found.start())
        elif found[0] in BRACKETS.values() and places:
            places.pop()
    return places
