"""Interpolations of OmegaConf, read: `${a.b}` is a reference, `${name:x}` a call, what is around them a text."""
# ruff: noqa: N802 (the methods of a visitor have OmegaConf's names)

from __future__ import annotations

import dataclasses
import warnings
from itertools import zip_longest
from typing import Any

from omegaconf.errors import OmegaConfBaseException
from omegaconf.grammar_parser import parse
from omegaconf.grammar_visitor import GrammarVisitor
from omegaconf.grammar_visitor import OmegaConfGrammarParser as Grammar  # pyright: ignore[reportPrivateImportUsage]

OPTION_OF = "cn.option_of"  # stands for a resolver that gives the name of the option that a node is; no tree has it
MARK = "\0"  # where an interpolation stands, while OmegaConf puts a text together


@dataclasses.dataclass
class Reference:
    """`${a.b}`; dots: how many stand before it, 0 for an absolute one."""

    keys: list[Text]
    dots: int


@dataclasses.dataclass
class Call:
    """`${name:argument,argument}`."""

    name: str
    arguments: list[Any]  # Text for a text, else a plain value


@dataclasses.dataclass
class Text:
    """A text with interpolations in it."""

    parts: list[str | Reference | Call]

    @property
    def only(self) -> Reference | Call | None:
        """Return the one interpolation that the text is."""
        return self.parts[0] if len(self.parts) == 1 and not isinstance(self.parts[0], str) else None

    def __str__(self) -> str:
        return MARK


class NotReadable(ValueError):  # noqa: N818
    """The interpolation has a form that OmegaConf does not read."""


def parsed(text: str) -> Text:
    """Read a text of YAML. Raises NotReadable for an interpolation that OmegaConf cannot read."""
    if "${" not in text:
        return Text([text])
    try:
        with warnings.catch_warnings(action="ignore"):  # of an argument that is empty
            found: Any = _Reader().visit(parse(text))
    except OmegaConfBaseException as error:
        raise NotReadable(f"{error}: {text}") from None
    return found if isinstance(found, Text) else Text([found])


def address_of(path: Text) -> Reference | None:
    """Return the address that is the argument of `oc.select`; None if an interpolation gives a part of it."""
    if not all(isinstance(part, str) for part in path.parts):
        return None
    try:
        address = parsed(f"${{{''.join(map(str, path.parts))}}}").only
    except NotReadable:
        return None
    return address if isinstance(address, Reference) else None


class _Reader(GrammarVisitor):
    """Visits what OmegaConf parsed, and tells of each interpolation what it is instead of what it gives."""

    def __init__(self) -> None:
        super().__init__(_nothing, _nothing, None)
        self.found: list[str | Reference | Call] = []  # the interpolations of the text that is visited

    def visitInterpolation(self, ctx: Any) -> Text:
        above, self.found = self.found, []
        part: Any = self.visit(ctx.getChild(0))
        self.found = [*above, part]
        return Text([part])

    def visitInterpolationNode(self, ctx: Any) -> Any:
        keys, dots = list[Text](), 0
        for each in ctx.getChildren():
            if isinstance(each, Grammar.ConfigKeyContext):
                keys.append(self.visitConfigKey(each))
            elif not keys and each.getText() == ".":
                dots += 1
        return Reference(keys, dots)

    def visitConfigKey(self, ctx: Any) -> Any:
        key = ctx.getChild(0)
        is_plain = not isinstance(key, Grammar.InterpolationContext)
        return Text([key.getText()]) if is_plain else self.visitInterpolation(key)

    def visitInterpolationResolver(self, ctx: Any) -> Call:
        found = [
            each for inner in ctx.getTypedRuleContexts(Grammar.SequenceContext) for each in self.visitSequence(inner)
        ]
        arguments = [Text([value]) if isinstance(value, str) else value for value, _ in found]
        return Call(self.visitResolverName(ctx.resolverName()), arguments)

    def visitQuotedValue(self, ctx: Any) -> Any:
        return self.visit(ctx.getChild(1)) if ctx.getChildCount() == 3 else ""

    def _unescape(self, seq: list[Any]) -> Any:
        above, self.found = self.found, []
        pieces = super()._unescape(seq).split(MARK)
        parts = [part for pair in zip_longest(pieces, self.found, fillvalue="") for part in pair if part]
        self.found = above
        return Text(parts) if len(pieces) > 1 else pieces[0]


def _nothing(*_: Any, **__: Any) -> None:
    """Stand for what would work an interpolation out."""
