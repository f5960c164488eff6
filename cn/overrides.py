"""The command line's words, read with Hydra's own grammar."""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from hydra.core.override_parser.types import Glob, Override, OverrideType, RangeSweep, ValueType
from hydra.errors import HydraException

from cn import command, grammar
from cn.errors import UserError, lines, short
from cn.texts import Texts

if TYPE_CHECKING:
    from cn.misread import Offer

Verb = Literal["set", "add", "force", "delete"]
VERBS: dict[OverrideType, Verb] = {
    OverrideType.CHANGE: "set",
    OverrideType.ADD: "add",
    OverrideType.FORCE_ADD: "force",
    OverrideType.DEL: "delete",
}


class WordError(UserError):
    """A word that is refused, with what may be meant by it."""

    word: str
    what: list[str]
    offers: list[Offer]

    @classmethod
    def of(cls, word: str, what: list[str], offers: list[Offer]) -> WordError:
        """An error that tells the first of the offers that are made with the same words before them."""
        shown = {each.label: f"{each.label}{command.quoted(each.word)}" for each in reversed(offers)}
        error = cls(lines(*what, *reversed(shown.values())))
        error.word, error.what, error.offers = word, what, offers
        return error

    def fitting(self, fits: Callable[[Offer], bool]) -> WordError:
        """The same with those of its offers alone that fit."""
        return WordError.of(self.word, self.what, list(filter(fits, self.offers)))


@dataclass(frozen=True)
class Assignment:
    """One override: `+model/head=cls_token` adds the option `cls_token` at `("model", "head")`."""

    word: str
    verb: Verb
    key: str
    path: tuple[str, ...]
    value: Any
    raw: str | None  # the value as it was typed; None where there is none
    texts: Texts | None  # of a list or dict, the texts of what it holds; else of the value

    @property
    def text(self) -> str:
        """The word as messages show it."""
        return short(self.word)

    def at(self, key: str) -> str:
        """The word that sets the same at another key, as it is typed in a shell."""
        return command.said(key, self.word.partition("=")[2])

    @property
    def interpolated(self) -> bool:
        return self.raw is not None and "${" in self.raw


def parse(texts: Iterable[str]) -> list[Assignment]:
    """The assignments that the texts mean, in their order; UserError for what cannot be read, or is said twice."""
    if isinstance(texts, str):
        raise UserError(lines(f"overrides are a list of texts, not {texts!r}", f"write: [{texts!r}]"))
    assignments = [_assignment(text) for text in texts]
    seen: dict[tuple[str, ...], Assignment] = {}
    for each in assignments:
        if each.verb == "add" and len(each.path) == 1:
            continue  # +callbacks=a +callbacks=b
        other = seen.get(each.path)
        seen[each.path] = each
        if other is not None:
            raise UserError(lines(f"{each.key} is given twice: {other.text} and {each.text}", "keep one of them"))
    return assignments


def read(text: str) -> tuple[Any, Texts]:
    """The value that a text has on the command line, and its texts; the text itself where it has none."""
    try:
        assignment = _assignment(f"x={text}")
    except UserError:
        return text, text
    return assignment.value, assignment.texts


def check(texts: Iterable[str], *, several: bool = False) -> None:
    """UserError for a text that Hydra's grammar cannot read. several: where it may stand for many runs."""
    for text in texts:
        _parse(text, several=several)


def of_hydra(text: str) -> bool:
    """Whether an override is of Hydra's own configuration, as `hydra/launcher=joblib` is."""
    return text.lstrip("+~").startswith(("hydra.", "hydra/"))


def expand(texts: Iterable[str], options: Callable[[str], list[str]]) -> list[list[str]]:
    """Every combination that the sweeps in the texts stand for, as lists of overrides, in Hydra's order.

    `options` lists what can be chosen at a key, for `glob(...)`.
    """
    axes: list[list[str]] = []
    for text in texts:
        override = _parse(text, several=True)
        if not override.is_sweep_override():
            axes.append([text])
            continue
        name = override.get_key_element()
        if override.value_type == ValueType.INTERVAL_SWEEP:
            low, high = override.value().start, override.value().end  # type: ignore
            instead = command.quoted(f"{name}=range({low:g},{high:g},STEP)")
            raise UserError(lines(f"{text}: an interval has no list of values to run", f"write: {instead}"))
        value: Any = override.value()
        if isinstance(value, Glob):
            known = options(override.key_or_group)
            if not (chosen := value.filter(known)):
                raise UserError(lines(f"{text} matches none of the options", f"choose from: {', '.join(known)}"))
            axes.append([f"{name}={option}" for option in chosen])
            continue
        try:
            items = _steps(value) if isinstance(value, RangeSweep) else override.sweep_iterator(grammar.spelled)
            axes.append([f"{name}={item}" for item in items])
        except HydraException as error:
            raise UserError(f"{text}: {error}") from None
        if not axes[-1]:
            raise UserError(f"{text} stands for no value at all")
    return [list(row) for row in itertools.product(*axes)]


@functools.lru_cache(maxsize=4096)
def _assignment(text: str) -> Assignment:
    override = _parse(text)
    key = override.key_or_group
    typed = text.partition("=")[2]
    if override.package is not None:
        why = f"{short(text)}: the attribute is the address, so no package is named"
        raise UserError(lines(why, f"write: {command.said(override.package, typed)}"))
    if override.is_sweep_override():
        from cn.misread import Offer

        offers = [Offer(f"for one run each: python {command.script} -m ", text, several=True)]
        if command.script.startswith("-m "):  # not the program, but a module beside it
            offers = []
        if override.value_type == ValueType.SIMPLE_CHOICE_SWEEP:
            offers.append(Offer("for one list: ", f"{key}=[{typed}]"))
        raise WordError.of(text, [f"{short(text)} stands for several runs, and one was asked for"], offers)
    typed_value: Any = override._value  # pyright: ignore[reportPrivateUsage]
    value, texts = grammar.split(typed_value)
    raw = None if "=" not in text else value if grammar.is_quoted(typed_value) else typed
    path = tuple(key.replace("/", ".").split("."))
    return Assignment(text, VERBS[override.type], key, path, value, raw, None if raw is None else texts)


def _parse(text: str, *, several: bool = False) -> Override:
    unreadable: grammar.UnreadableError | None = None
    try:
        override = grammar.read(text)
        if override.key_or_group:
            return override
    except grammar.UnreadableError as error:
        unreadable = error
    from cn.misread import message

    raise WordError.of(text, *message(text, unreadable, several=several))


def _steps(sweep: RangeSweep) -> list[str]:
    """The values of `range(...)`, in the order that `shuffle` asks for."""
    found = list(grammar.steps(sweep))
    if sweep.shuffle:
        random.shuffle(found)
    return found
