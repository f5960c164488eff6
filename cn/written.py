"""A plain value in Hydra's grammar, so that reading it gives the value back."""

from __future__ import annotations

import enum
import re
from pathlib import Path
from typing import Any, cast

from hydra.core.override_parser.types import Quote, QuotedString

from cn.errors import UserError, short
from cn.overrides import read
from cn.texts import Texts

ID = r"[A-Za-z_][A-Za-z0-9_-]*"
OTHERWISE = r"null|true|false|nan|inf|\.[0-9].*"  # what Hydra takes for no text
BARE = re.compile(rf"(?!(?:{OTHERWISE})\Z)[A-Za-z_/.][A-Za-z0-9_/.+-]*", re.IGNORECASE | re.ASCII)
UNQUOTED = re.compile(r"[A-Za-z0-9_/\-\\+.$%*@?|()\[\]{}:=, \t]+")
BARE_KEY = re.compile(rf"(?!(?:{OTHERWISE})\Z){ID}", re.IGNORECASE | re.ASCII)


class UnwritableError(UserError):
    """The grammar has no way to say it."""


def written(value: Any) -> tuple[str, Any, Texts]:
    """The value in Hydra's grammar, and what it is then read as, with its texts."""
    spelled = _spelled(value, late=False)
    return _spelled(value, late=True) if "${" in spelled[0] else spelled


def _spelled(value: Any, *, late: bool) -> tuple[str, Any, Texts]:
    """The same; `late` where some text in it leaves no other way than to have OmegaConf read them all."""
    if isinstance(value, enum.Enum):
        value = value.name
    elif isinstance(value, Path):
        value = f"./{value}" if str(value).startswith("~") else str(value)
    if value is None:
        return "null", None, "null"
    if isinstance(value, bool):
        text = "true" if value else "false"
        return text, value, text
    if isinstance(value, (int, float)):
        return repr(value), value, repr(value)
    if isinstance(value, str):
        return text_of(value, late=late), value, value
    if isinstance(value, (list, tuple)):
        items = [_spelled(item, late=late) for item in cast("list[Any]", value)]
        return f"[{','.join(text for text, *_ in items)}]", [seen for _, seen, _ in items], [own for *_, own in items]
    if isinstance(value, dict):
        pairs = [(_key(name_of(key)), _spelled(item, late=late)) for key, item in cast("dict[Any, Any]", value).items()]
        text = f"{{{','.join(f'{key}:{each}' for (key, *_), (each, *_) in pairs)}}}"
        texts = {key: (name, own) for (_, key, name), (*_, own) in pairs}
        return text, {key: seen for (_, key, _), (_, seen, _) in pairs}, texts
    raise UnwritableError(f"a {type(value).__name__} cannot be written on a command line")


def text_of(text: str, *, late: bool = False) -> str:
    r"""A string: bare where it is a word, else in quotes.

    `${` in it is written `$\{`, which no one interpolates but which cannot be quoted, else `\${`, as OmegaConf has it.
    """
    if BARE.fullmatch(text):
        return text
    if "${" in text:
        if UNQUOTED.fullmatch(text) and not late:
            return _escaped(text)
        text = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    return QuotedString(text, Quote.double if "'" in text and '"' not in text else Quote.single).with_quotes()


def name_of(key: Any) -> str:
    return key.name if isinstance(key, enum.Enum) else str(key)


def _key(key: str) -> tuple[str, Any, str]:
    """A key in braces, which cannot be quoted, and what it is read as, with its text."""
    if BARE_KEY.fullmatch(key):
        return key, key, key
    text = _escaped(key)
    seen, texts = read(f"{{{text}:0}}")
    if not isinstance(seen, dict):
        raise UnwritableError(f"{short(repr(key))} cannot be a key on a command line")
    return text, *next((key, name) for key, (name, _) in texts.items())


def _escaped(text: str) -> str:
    return re.sub(r"[\\()\[\]{}:=, \t]", r"\\\g<0>", text)
