"""Hydra's grammar of one word, with the text of each value beside it, and with errors that know the letter.

Hydra turns `3.10` into 3.1 while it reads. Here a number, a truth value or null is read as a subclass that carries its
text, so that it passes through lists, dicts and all of Hydra's functions; `split` takes values and texts apart.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, cast

from antlr4 import CommonTokenStream, InputStream
from hydra._internal.grammar import grammar_functions
from hydra._internal.grammar.functions import FunctionCall, Functions
from hydra._internal.grammar.utils import escape_special_characters
from hydra.core.override_parser.overrides_parser import create_functions
from hydra.core.override_parser.overrides_visitor import HydraErrorListener, HydraOverrideVisitor
from hydra.core.override_parser.types import ChoiceSweep, Override, Quote, QuotedString, RangeSweep
from hydra.errors import HydraException
from hydra.grammar.gen.OverrideLexer import OverrideLexer  # pyright: ignore[reportMissingTypeStubs]
from hydra.grammar.gen.OverrideParser import OverrideParser  # pyright: ignore[reportMissingTypeStubs]

from cn.errors import short
from cn.texts import Texts, texts_of


class UnreadableError(Exception):
    """The grammar has no way to read a word."""

    def __init__(self, why: str = "", at: int | None = None) -> None:
        super().__init__(why)
        self.at = at  # the place of the first letter that does not fit; None where it is no one letter, but `why`


class _Int(int):
    text: str

    def __str__(self) -> str:
        return self.text


class _Float(float):
    text: str

    def __str__(self) -> str:
        return self.text

    def __int__(self) -> int:
        return int(Decimal(self.text)) if self.is_integer() else super().__int__()


class _Bool(int):  # no class derives from bool
    text: str

    def __str__(self) -> str:
        return self.text


class _Null(str):
    """A null: of the same letters as its text, for Hydra's functions take no None."""

    __slots__ = ()


class _Text(str):
    """A text that knows how it is spelled, so that it stays one when it is written as a word again."""

    spelled: str


TYPED: dict[type, Any] = {int: _Int, float: _Float, bool: _Bool}
for _plain, _typed in {**TYPED, str: _Text}.items():
    _typed.__name__ = _plain.__name__  # Hydra's errors name it


def read(word: str) -> Override:
    """The override that a word is; UnreadableError where it is none."""
    listener = _Listener()
    lexer: Any = OverrideLexer(InputStream(word))
    parser: Any = OverrideParser(CommonTokenStream(lexer))
    for each in (lexer, parser):
        each.removeErrorListeners()
        each.addErrorListener(listener)
    try:
        override: Any = _Visitor(_functions()).visit(parser.override())
    except UnreadableError:
        raise
    except RecursionError:
        raise UnreadableError("it is nested too deep") from None
    except ValueError:  # Python's limit
        raise UnreadableError("a number has at most 4300 digits") from None
    except HydraException as error:
        raise UnreadableError(_of_function(error)) from None
    return cast("Override", override)


def split(value: Any) -> tuple[Any, Texts]:
    """A value that was read, as plain Python, and its texts."""
    if isinstance(value, _Null):
        return None, str(value)
    if isinstance(value, str):
        return str(value), str(value)
    if isinstance(value, (_Int, _Float, _Bool)):
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
    """A value that was read, as a word's value again."""
    if isinstance(value, _Text):
        return value.spelled
    if isinstance(value, list):
        return f"[{','.join(map(spelled, cast('list[Any]', value)))}]"
    if isinstance(value, dict):
        table = cast("dict[Any, Any]", value)
        return f"{{{','.join(f'{spelled(key)}:{spelled(each)}' for key, each in table.items())}}}"
    return escape_special_characters(value) if isinstance(value, str) else cast("str", texts_of(value))


def is_quoted(value: Any) -> bool:
    """Whether a value that was read is a text in quotes."""
    return isinstance(value, _Text) and value.spelled[0] in "'\""


def quoted(text: str) -> str:
    """A text as a word's value: in double quotes, since the whole word stands in single ones in a shell."""
    return QuotedString(text, Quote.single if '"' in text else Quote.double).with_quotes()


def steps(sweep: RangeSweep) -> Iterator[str]:
    """The values of a `range(...)`, added up as they are typed: Hydra's third value of `range(0,1,0.1)` is not 0.3."""
    ends = (sweep.start, sweep.stop, sweep.step)
    if all(isinstance(each, int) for each in ends):
        return map(str, range(*(int(cast("int", each)) for each in ends)))
    return map(str, _added(*(Decimal(str(each).replace("_", "")) for each in ends)))


def _added(at: Decimal, stop: Decimal, step: Decimal) -> Iterator[float]:
    if not step or not all(each.is_finite() for each in (at, stop, step)):
        raise HydraException("a range has a first, a last, and a step that is not 0")
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
    """What `str(...)` gives, as texts that stay texts."""
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
    """What is wrong with a call of one of Hydra's functions, or with an empty value."""
    found = re.search(r" while evaluating '([^(]*)", str(error))
    if found is None:
        return "a value is missing"
    name, known = found[1].strip(), sorted(_functions().definitions)
    if name not in known:
        return f"there is no function {name}, only {', '.join(known)}"
    return f"{name}(...): {short(str(error.__cause__)) or 'it takes no such value'}"


class _Listener(HydraErrorListener):
    """Raises at the first letter that does not fit; ANTLR's own words are for those who know its grammar."""

    def syntaxError(  # noqa: N802  (ANTLR's name)
        self, recognizer: Any, offending_symbol: Any, line: Any, column: Any, msg: Any, e: Any
    ) -> None:
        at = e.startIndex if offending_symbol is None else offending_symbol.start
        raise UnreadableError(at=at)
