"""Hydra's grammar for one word, extended by the text of each value and the position of a syntax error.

Hydra parses `3.10` as 3.1. Here a number, a bool or null is parsed into a subclass that carries its text, so that the
text passes through lists, dicts and all of Hydra's functions; `split` separates values and texts.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import itertools
import random
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, cast

from hydra._internal.grammar import grammar_functions
from hydra._internal.grammar.functions import FunctionCall, Functions
from hydra._internal.grammar.utils import escape_special_characters
from hydra.core.override_parser.overrides_parser import create_functions
from hydra.core.override_parser.overrides_visitor import HydraErrorListener, HydraOverrideVisitor
from hydra.core.override_parser.types import ChoiceSweep, Override, QuotedString, RangeSweep
from hydra.errors import HydraException
from hydra.grammar.gen.OverrideLexer import OverrideLexer  # pyright: ignore[reportMissingTypeStubs]
from hydra.grammar.gen.OverrideParser import OverrideParser  # pyright: ignore[reportMissingTypeStubs]

from cn.composing.plain_words import is_own, quoted
from cn.errors import short
from cn.nodes.texts import Texts, texts_of


def _antlr() -> Any:
    try:
        return importlib.import_module("antlr4")
    except ModuleNotFoundError:  # vendored from OmegaConf 2.4 on
        return importlib.import_module("omegaconf.vendor.antlr4")


ANTLR = _antlr()


class UnreadableError(Exception):
    """The grammar cannot parse a word."""

    def __init__(self, why: str = "", at: int | None = None) -> None:
        super().__init__(why)
        self.at = at  # index of the first wrong letter; None if only `why` tells the cause


class _Typed:
    """A value with its text."""

    text: str

    def __str__(self) -> str:
        return self.text


class _Int(_Typed, int):
    pass


class _Float(_Typed, float):
    def __int__(self) -> int:
        return int(Decimal(self.text)) if self.is_integer() else super().__int__()


class _Bool(_Typed, int):  # bool cannot be subclassed
    pass


class _Null(str):
    """A null; a str subclass with the typed text, because Hydra's functions reject None."""

    __slots__ = ()


class _Text(str):
    """A str that keeps its spelling, so that it stays a str when it is written as a word again."""

    spelled: str


TYPED: dict[type, Any] = {int: _Int, float: _Float, bool: _Bool}
for _plain, _typed in {**TYPED, str: _Text}.items():
    _typed.__name__ = _plain.__name__  # Hydra's errors print this name


def read(word: str) -> Override:
    """Parse a word into an override; UnreadableError if the grammar rejects it."""
    key = word.partition("=")[0].lstrip("+~")
    if is_own(key):
        at = word.index(key)
        try:
            return dataclasses.replace(read(f"{word[:at]}x{word[at + len(key) :]}"), key_or_group=key)
        except UnreadableError as error:
            raise UnreadableError(str(error), None if error.at is None else error.at + len(key) - 1) from None
    listener = _Listener()
    lexer: Any = OverrideLexer(ANTLR.InputStream(word))
    parser: Any = OverrideParser(ANTLR.CommonTokenStream(lexer))
    for each in (lexer, parser):
        each.removeErrorListeners()
        each.addErrorListener(listener)
    try:
        override: Any = _Visitor(_functions()).visit(parser.override())
    except RecursionError:
        raise UnreadableError("it is nested too deep") from None
    except ValueError:  # Python's limit for the digits of an int
        raise UnreadableError("a number has at most 4300 digits") from None
    except HydraException as error:
        raise UnreadableError(_of_function(error)) from None
    return cast("Override", override)


def split(value: Any) -> tuple[Any, Texts]:
    """Split a parsed value into plain Python values and their texts."""
    if isinstance(value, _Null):
        return None, str(value)
    if isinstance(value, str):
        return str(value), str(value)
    if isinstance(value, _Typed):
        return next(plain for plain, typed in TYPED.items() if type(value) is typed)(value), value.text
    if isinstance(value, list):
        pairs = [split(each) for each in cast("list[Any]", value)]
        return [each for each, _ in pairs], [text for _, text in pairs]
    if isinstance(value, dict):
        entries = [(split(key), split(each)) for key, each in cast("dict[Any, Any]", value).items()]
        texts = {key: (cast("str", name), text) for (key, name), (_, text) in entries}
        return {key: each for (key, _), (each, _) in entries}, texts
    return value, texts_of(value)


def spelled(value: Any) -> str:
    """Write a parsed value as the value of a word."""
    if isinstance(value, _Text):
        return value.spelled
    if isinstance(value, list):
        return f"[{','.join(map(spelled, cast('list[Any]', value)))}]"
    if isinstance(value, dict):
        table = cast("dict[Any, Any]", value)
        return f"{{{','.join(f'{spelled(key)}:{spelled(each)}' for key, each in table.items())}}}"
    return escape_special_characters(value) if isinstance(value, str) else cast("str", texts_of(value))


def is_quoted(value: Any) -> bool:
    """Return whether a parsed value is a quoted str."""
    return isinstance(value, _Text) and value.spelled[0] in "'\""


def steps(sweep: RangeSweep, most: int) -> list[str]:
    """Return the values of a `range(...)`, shuffled if `shuffle` is set; at most `most` + 1 of them."""
    ends = (sweep.start, sweep.stop, sweep.step)
    if sweep.step and all(isinstance(each, int) for each in ends):
        values = range(*(int(cast("int", each)) for each in ends))
    else:
        values = _added(*(Decimal(str(each).replace("_", "")) for each in ends))
    found = list(map(str, itertools.islice(values, most + 1)))
    if sweep.shuffle:
        random.shuffle(found)
    return found


def _added(at: Decimal, stop: Decimal, step: Decimal) -> Iterator[float]:
    """Yield the values of a range, summed in decimal: Hydra's third value of `range(0,1,0.1)` is not 0.3."""
    if not step or not all(each.is_finite() for each in (at, stop, step)):
        raise HydraException("a range has a start, a stop, and a step that is not 0")
    while at < stop if step > 0 else at > stop:
        yield float(at)
        at += step


class _Visitor(HydraOverrideVisitor):
    def visitDictContainer(self, ctx: Any) -> Any:  # noqa: N802  (Hydra's name)
        pairs = [self.visitDictKeyValuePair(ctx.getChild(i)) for i in range(1, ctx.getChildCount() - 1, 2)]
        names: dict[Any, str] = {}
        for key, _ in pairs:
            plain, text = split(key)
            if plain in names:
                same = f"the keys {names[plain]} and {text} are the same number"
                raise UnreadableError(same if names[plain] != text else f"the key {short(str(text))} is given twice")
            names[plain] = cast("str", text)
        return dict(pairs)

    def _createPrimitive(self, ctx: Any) -> Any:  # noqa: N802  (Hydra's name)
        value: Any = super()._createPrimitive(ctx)
        text = "".join(each.getText() for each in _trimmed(list(ctx.getChildren()), self.is_ws))
        if value is None:
            return _Null(text)
        if isinstance(value, (str, QuotedString)):
            return _text(value if isinstance(value, str) else value.text, text)
        typed: Any = TYPED[type(value)](value)
        typed.text = text
        return typed


class _Functions(Functions):
    def eval(self, func: FunctionCall) -> Any:
        options = {key: bool(value) if isinstance(value, _Bool) else value for key, value in func.kwargs.items()}
        return super().eval(FunctionCall(func.name, func.args, options))


@functools.cache
def _functions() -> Functions:
    known = create_functions()
    ours = _Functions(known.definitions, known.functions)
    ours.functions["str"] = lambda *values, **named: _texts(grammar_functions.cast_str(*values, **named))
    return ours


def _texts(value: Any) -> Any:
    """Return the result of `str(...)` with each text kept as a str."""
    if isinstance(value, list):
        return [_texts(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: _texts(each) for key, each in cast("dict[Any, Any]", value).items()}
    if isinstance(value, ChoiceSweep):
        value.list = _texts(value.list)
    return _text(value, quoted(value)) if isinstance(value, str) else value


def _text(value: str, spelled: str) -> _Text:
    text = _Text(value)
    text.spelled = spelled
    return text


def _trimmed(tokens: list[Any], is_space: Callable[[Any], bool]) -> list[Any]:
    return tokens[is_space(tokens[0]) : len(tokens) - is_space(tokens[-1])]


def _of_function(error: HydraException) -> str:
    """Return the error in a call of one of Hydra's functions."""
    found = re.search(r" while evaluating '([^(]*)", str(error))
    if found is None:
        return short(str(error))
    name, known = found[1].strip(), sorted(_functions().definitions)
    if name not in known:
        return f"there is no function {name}, only {', '.join(known)}"
    return f"{name}(...): {short(str(error.__cause__)) or 'it takes no such value'}"


class _Listener(HydraErrorListener):
    """Raises at the first wrong letter; ANTLR's own message would require knowledge of its grammar."""

    def syntaxError(  # noqa: N802  (ANTLR's name)
        self, recognizer: Any, offending_symbol: Any, line: Any, column: Any, msg: Any, e: Any
    ) -> None:
        at = e.startIndex if offending_symbol is None else offending_symbol.start
        raise UnreadableError(at=at)
