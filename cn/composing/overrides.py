"""Parse the words of the command line by Hydra's grammar; Hydra is imported only for words that are not plain."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from cn import program
from cn.composing.verbs import ORDER, VERBS, Verb
from cn.errors import UserError, lines, short
from cn.immutable import Immutable
from cn.nodes.texts import Texts

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

    from cn.composing.plain_words import Word
    from cn.composing.syntax_errors import Offer


MOST = 100_000  # runs that one command stands for


class WordError(UserError):
    """An invalid word, with suggestions."""

    word: str
    what: list[str]
    offers: list[Offer]

    @classmethod
    def of(cls, word: str, what: list[str], offers: list[Offer]) -> WordError:
        """Make an error that shows the first offer of each label."""
        shown = {each.label: f"{each.label}{_with_others(each, word)}" for each in reversed(offers)}
        error = cls(lines(*what, *reversed(shown.values())))
        error.word, error.what, error.offers = word, what, offers
        return error


def _with_others(offer: Offer, word: str) -> str:
    """Return the offered word; for a whole command, in its place among the words that were typed."""
    typed = program.typed if offer.whole and word in program.typed else (word,)
    return " ".join(program.quoted(offer.word if each == word else each) for each in typed)


class Assignment(Immutable):
    """One override: `+model/head=cls_token` adds the option `cls_token` at `("model", "head")`."""

    word: str
    verb: Verb
    key: str
    path: tuple[str, ...]
    value: Any
    raw: str | None  # the value as typed; None if the word has no value
    texts: Texts | None  # texts of the elements of a list or dict; else of the value
    place: str = ""  # of a change that is not typed: `patch debug, runs/patches/debug.py:8`

    @property
    def text(self) -> str:
        """The word as shown in messages."""
        return short(self.word)

    @property
    def origin(self) -> str:
        """Where the override stands."""
        return self.place or f"command line, {self.text}"

    def at(self, key: str) -> str:
        """Return what sets the same value at another key, quoted for the shell."""
        if self.place:
            return f'"{key}": {short(repr(self.value))}'
        return program.said(key, self.word.partition("=")[2])

    @property
    def interpolated(self) -> bool:
        return self.raw is not None and "${" in self.raw and not self.place

    @property
    def order(self) -> tuple[bool, int]:
        """Where the override comes among those of its path."""
        return self.interpolated, ORDER[self.verb]


def parse(texts: Iterable[str]) -> list[Assignment]:
    """Parse the texts into assignments, in order; UserError for a syntax error or a repeated key."""
    if isinstance(texts, str):
        raise UserError(f"overrides are a list of texts, not {texts!r}", f"write: [{texts!r}]")
    assignments = [_assignment(text) for text in texts]
    seen: dict[tuple[str, ...], Assignment] = {}
    for each in assignments:
        if each.verb == "add" and len(each.path) == 1:
            continue  # +callbacks=a +callbacks=b
        other = seen.get(each.path)
        seen[each.path] = each
        if other is not None:
            raise UserError(f"{each.key} is given twice: {other.text} and {each.text}", "keep one of them")
    return assignments


def read(text: str) -> tuple[Any, Texts]:
    """Parse a text as a value on the command line; return the value and its texts, or the text itself if unreadable."""
    try:
        assignment = _assignment(f"x={text}")
    except UserError:
        return text, text
    return assignment.value, assignment.texts


def check(texts: Iterable[str], *, several: bool = False) -> None:
    """Raise UserError for a text that Hydra's grammar rejects. several: allow sweeps."""
    for text in texts:
        if _plain(text) is None:
            _parse(text, several=several)


def of_hydra(text: str) -> bool:
    """Return whether an override belongs to Hydra's own configuration, such as `hydra/launcher=joblib`."""
    return text.lstrip("+~").startswith(("hydra.", "hydra/"))


def expand(texts: Iterable[str], options: Callable[[str], list[str]]) -> list[list[str]]:
    """Return every combination of the sweeps in the texts, as lists of overrides, in Hydra's order.

    `options` returns the options at a key, for `glob(...)`. Raises UserError if there are more than MOST.
    """
    axes: list[list[str]] = []
    texts = list(texts)
    for text in texts:
        override = _parse(text, several=True) if _plain(text) is None else None
        if override is not None and override.is_sweep_override():
            axes.append(_values(text, override, options))
        else:
            axes.append([text])
    if (count := math.prod(map(len, axes))) > MOST:
        swept = " ".join(text for text, axis in zip(texts, axes, strict=True) if len(axis) > 1)
        why = f"{short(swept)}: these are {count} runs, and one command may stand for {MOST}"
        raise UserError(why, "write: fewer values, or a class in sweeps/ with random(...), which draws some of them")
    return [list(row) for row in itertools.product(*axes)]


def _values(text: str, override: Override, options: Callable[[str], list[str]]) -> list[str]:
    """Return the words of a sweep, one per value."""
    from hydra.core.override_parser.types import Glob, RangeSweep, ValueType
    from hydra.errors import HydraException

    from cn.composing import grammar

    name = override.get_key_element()
    value: Any = override.value()
    if override.value_type == ValueType.INTERVAL_SWEEP:
        instead = program.quoted(f"{name}=range({value.start:g},{value.end:g},STEP)")
        raise UserError(f"{text}: an interval has no list of values to run", f"write: {instead}")
    if isinstance(value, Glob):
        known = options(override.key_or_group)
        if not known:
            raise UserError(f"{text}: glob chooses options, and {name} has none", f"write: {name}=VALUE,VALUE")
        if not (chosen := value.filter(known)):
            raise UserError(f"{text} matches none of the options", f"choose from: {', '.join(known)}")
        return [f"{name}={option}" for option in chosen]
    is_range = isinstance(value, RangeSweep)
    try:
        items = grammar.steps(value, MOST) if is_range else override.sweep_iterator(grammar.spelled)
        found = [f"{name}={item}" for item in items]
    except HydraException as error:
        raise UserError(f"{text}: {error}") from None
    if not found:
        raise UserError(f"{text} has no values")
    if is_range and len(found) > MOST:
        why = f"{text} has more than {MOST} values, and one command may stand for {MOST} runs"
        raise UserError(why, f"write: a larger step, {name}=range(FIRST,END,STEP)")
    return found


@functools.lru_cache(maxsize=4096)
def _assignment(text: str) -> Assignment:
    if plain := _plain(text):
        return Assignment(text, plain.verb, plain.key, path_of(plain.key), plain.value, plain.raw, plain.texts)
    from cn.composing import grammar

    override = _parse(text)
    key = override.key_or_group
    typed = text.partition("=")[2]
    if override.package is not None:
        raise _with_package(text, override.package, key)
    if override.is_sweep_override():
        from hydra.core.override_parser.types import ValueType

        from cn.composing.syntax_errors import Offer, one_run_each

        offers = one_run_each(text)
        if override.value_type == ValueType.SIMPLE_CHOICE_SWEEP:
            offers.append(Offer("for one list: ", f"{key}=[{typed}]"))
        raise WordError.of(text, [f"{short(text)} stands for several runs, and one was asked for"], offers)
    typed_value: Any = override._value  # pyright: ignore[reportPrivateUsage]
    value, texts = grammar.split(typed_value)
    raw = None if "=" not in text else value if grammar.is_quoted(typed_value) else typed
    verb = VERBS[text[: -len(text.lstrip("+~"))]]
    return Assignment(text, verb, key, path_of(key), value, raw, None if raw is None else texts)


def _with_package(text: str, package: str, key: str) -> WordError:
    """Return the error about `model@teacher=vit`, with the words that choose the node at that address."""
    from cn.composing.syntax_errors import Offer

    sign, rest = text[: -len(text.lstrip("+~"))], "".join(text.partition("=")[1:])
    keys = dict.fromkeys(each for each in (package.replace(".", "/"), package, key) if each)
    why = f"{short(text)}: the attribute is the address, so no package is named"
    return WordError.of(text, [why], [Offer("write: ", f"{sign}{each}{rest}") for each in keys])


def path_of(key: str) -> tuple[str, ...]:
    """Split a key at its dots, if it has any (`a.Loss/x`), else at its slashes (`model/head`)."""
    return tuple(key.split("." if "." in key else "/"))


def _plain(word: str) -> Word | None:
    from cn.composing import plain_words  # its patterns take long to compile, and a command may have no words

    return plain_words.read(word)


def _parse(text: str, *, several: bool = False) -> Override:
    """Parse a word with Hydra's parser; WordError if the parser rejects it."""
    from cn.composing import grammar

    unreadable: grammar.UnreadableError | None = None
    try:
        override = grammar.read(text)
        if override.key_or_group:
            return override
    except grammar.UnreadableError as error:
        unreadable = error
    from cn.composing.syntax_errors import message

    raise WordError.of(text, *message(text, unreadable, several=several))
