"""Interpolations of OmegaConf, read: `${a.b}` is a reference, `${name:x}` a call, what is around them a text."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

OPTION_OF = "cn.option_of"  # stands for a resolver that gives the name of the option that a node is; no tree has it


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


class NotReadable(ValueError):  # noqa: N818
    """The interpolation has a form that is not translated."""


def parsed(text: str) -> Text:
    """Read a text of YAML. Raises NotReadable for an interpolation that does not end."""
    parts: list[str | Reference | Call] = []
    at, plain = 0, ""
    while at < len(text):
        found = re.compile(r"(\\*)\$\{").match(text, at)
        if found is None:
            plain += text[at]
            at += 1
            continue
        slashes = len(found[1])
        plain += "\\" * (slashes // 2)
        if slashes % 2:
            plain += "${"
            at = found.end()
            continue
        end = _end(text, found.end())
        if plain:
            parts.append(plain)
            plain = ""
        parts.append(_inside(text[found.end() : end - 1]))
        at = end
    if plain or not parts:
        parts.append(plain)
    return Text(parts)


def address_of(path: Text) -> Reference | None:
    """Return the address that is the argument of `oc.select`; None if an interpolation gives a part of it."""
    plain = all(isinstance(part, str) for part in path.parts)
    address = _inside("".join(map(str, path.parts))) if plain else None
    return address if isinstance(address, Reference) and address.keys else None


def _end(text: str, at: int) -> int:
    """Return the place after the brace that closes an interpolation."""
    depth, quote = 1, ""
    while at < len(text):
        letter = text[at]
        if letter == "\\":
            at += 2
            continue
        if text.startswith("${", at):
            depth += 1
            at += 2
            continue
        if quote:
            quote = "" if letter == quote and depth == 1 else quote
        elif letter in "\"'" and depth == 1:
            quote = letter
        elif letter == "{":
            depth += 1
        if letter == "}" and (not quote or depth > 1):
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    raise NotReadable(f"an interpolation that does not end: {text}")


def _inside(text: str) -> Reference | Call:
    text = text.strip()
    if found := re.match(r"([A-Za-z_][\w.]*)\s*:(.*)$", text, flags=re.DOTALL):
        return Call(found[1], [_argument(each) for each in _split(found[2])] if found[2].strip() else [])
    dots = len(text) - len(text.lstrip("."))
    return Reference([parsed(each) for each in _keys(text[dots:])], dots)


def _keys(text: str) -> list[str]:
    """Split `a.b[c].${d}` into keys."""
    found: list[str] = []
    at, key = 0, ""
    while at < len(text):
        if text.startswith("${", at):
            end = _end(text, at + 2)
            key += text[at:end]
            at = end
            continue
        if text[at] in ".[":
            found.append(key)
            key = ""
        elif text[at] != "]":
            key += text[at]
        at += 1
    return [each for each in [*found, key] if each]


def _split(text: str) -> list[str]:
    """Split arguments at commas outside of quotes, brackets and interpolations."""
    parts, depth, quote, part = list[str](), 0, "", ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        if letter == "," and not depth and not quote:
            parts.append(part)
            part = ""
        else:
            part += letter
    return [*parts, part]


def _argument(text: str) -> Any:
    """Return an argument of a resolver as OmegaConf's grammar reads it."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return parsed(text[1:-1].replace(f"\\{text[0]}", text[0]))
    if "${" in text:
        return parsed(text)
    from omegaconf.grammar_parser import parse
    from omegaconf.grammar_visitor import GrammarVisitor

    try:
        tree: Any = parse(text, parser_rule="singleElement", lexer_mode="VALUE_MODE")
        value: Any = GrammarVisitor(None, None, None).visit(tree.element())  # pyright: ignore[reportArgumentType]
    except Exception:
        return Text([text])
    return Text([value]) if isinstance(value, str) else value
