"""The command line's words, read with Hydra's own grammar."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, OverrideType, QuotedString, ValueType
from hydra.errors import HydraException

from cn import command
from cn.errors import UserError, lines, short

Verb = Literal["set", "add", "force", "delete"]
VERBS: dict[OverrideType, Verb] = {
    OverrideType.CHANGE: "set",
    OverrideType.ADD: "add",
    OverrideType.FORCE_ADD: "force",
    OverrideType.DEL: "delete",
}


@dataclass(frozen=True)
class Assignment:
    """One override: `+model/head=cls_token` adds the option `cls_token` at `("model", "head")`."""

    text: str
    verb: Verb
    key: str
    path: tuple[str, ...]
    value: Any
    raw: str | None  # the value as it was typed; None where there is none

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


def read(text: str) -> Any:
    """The value that a text has on the command line; the text itself where it has none."""
    try:
        return _assignment(f"x={text}").value
    except UserError:
        return text


def of_hydra(text: str) -> bool:
    """Whether an override is of Hydra's own configuration, as `hydra/launcher=joblib` is."""
    return text.lstrip("+~").startswith(("hydra.", "hydra/"))


def expand(texts: Iterable[str], options: Callable[[str], list[str]]) -> list[list[str]]:
    """Every combination that the sweeps in the texts stand for, as lists of overrides, in Hydra's order.

    `options` lists what can be chosen at a key, for `glob(...)`.
    """
    axes: list[list[str]] = []
    for text in texts:
        override = _parse(text)
        if not override.is_sweep_override():
            axes.append([text])
            continue
        name = override.get_key_element()
        if override.value_type == ValueType.INTERVAL_SWEEP:
            raise UserError(
                lines(
                    f"{text}: an interval has no list of values to run",
                    f"write: {name}=range(...) or {name}=choice(...)",
                )
            )
        value: Any = override.value()
        if isinstance(value, Glob):
            chosen = value.filter(options(override.key_or_group))
            if not chosen:
                raise UserError(
                    lines(
                        f"{text} matches none of the options",
                        f"choose from: {', '.join(options(override.key_or_group))}",
                    )
                )
            axes.append([f"{name}={option}" for option in chosen])
            continue
        try:
            axes.append([f"{name}={item}" for item in override.sweep_string_iterator()])
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
        raise UserError(lines(why, f"write: {override.package}={short(typed)}"))
    if override.is_sweep_override():
        why = f"{short(text)} stands for several runs, and one was asked for"
        each = f"for one run each: python {command.script} -m {short(text)}"
        if command.script.startswith("-m "):  # not the program, but a module beside it
            each = None
        raise UserError(lines(why, each, f"for one list: '{key}=[{short(typed)}]'"))
    value = override.value()
    quoted = isinstance(override._value, QuotedString)  # pyright: ignore[reportPrivateUsage]
    raw = None if "=" not in text else str(value) if quoted else typed
    return Assignment(short(text), VERBS[override.type], key, tuple(key.replace("/", ".").split(".")), value, raw)


def _parse(text: str) -> Override:
    detail: str | None = None
    try:
        override = _parser().parse_overrides([text])[0]
        if override.key_or_group:
            return override
    except RecursionError:
        detail = "it is nested too deep"
    except (HydraException, ValueError) as error:  # ValueError: an int of 5000 digits
        detail = short(str(error).split("\n")[0])
        if detail.startswith(("LexerNoViableAltException", "Error parsing override")):
            detail = None  # says no more than the text itself
    if re.fullmatch(r"[\w./]+", text):
        detail = f"write: {text}=VALUE"
    quote = "quote what holds spaces, commas or brackets: 'name=\"a, b\"'"
    if not text.isascii():
        quote = "quote what holds other letters than those of ASCII: 'name=\"é\"'"
    raise UserError(lines(f"{short(text)!r} cannot be read as NAME=VALUE", detail, quote))


@functools.cache
def _parser() -> OverridesParser:
    return OverridesParser.create()
