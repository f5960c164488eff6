"""Write plain values in Hydra's grammar, so that parsing gives the same value back."""

from __future__ import annotations

import enum
import re
from pathlib import Path
from typing import Any, cast

from cn.composing.interpolation import literal
from cn.composing.overrides import read
from cn.composing.plain_words import quoted
from cn.errors import UserError, short
from cn.nodes.texts import Texts, texts_of

ID = r"[A-Za-z_][A-Za-z0-9_-]*"
OTHERWISE = r"null|true|false|nan|inf|\.[0-9].*"  # Hydra does not parse these as a text
BARE = re.compile(rf"(?!(?:{OTHERWISE})\Z)[A-Za-z_/.][A-Za-z0-9_/.+-]*", re.IGNORECASE | re.ASCII)
UNQUOTED = re.compile(r"[A-Za-z0-9_/\-\\+.$%*@?|()\[\]{}:=, \t]+")
BARE_KEY = re.compile(rf"(?!(?:{OTHERWISE})\Z){ID}", re.IGNORECASE | re.ASCII)


class UnwritableError(UserError):
    """The grammar cannot express the value."""


def written(value: Any) -> tuple[str, Any, Texts]:
    """Return the value in Hydra's grammar, the value that the grammar parses from it, and the texts."""
    spelled = _spelled(value, late=False)
    return _spelled(value, late=True) if "${" in spelled[0] else spelled


def _spelled(value: Any, *, late: bool) -> tuple[str, Any, Texts]:
    """Like `written`; `late`: a text contains `${`, so that OmegaConf must unescape all texts."""
    if isinstance(value, enum.Enum):
        value = value.name
    elif isinstance(value, Path):
        value = f"./{value}" if str(value).startswith("~") else str(value)
    if value is None or isinstance(value, (int, float)):
        return texts_of(value), value, texts_of(value)
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
    r"""Write a string: bare if it is a plain word, else quoted.

    `${` is written as `$\{`, which is never interpolated but cannot be quoted, else as OmegaConf's escape `\${`.
    """
    if BARE.fullmatch(text):
        return text
    if "${" in text:
        if UNQUOTED.fullmatch(text) and not late:
            return _escaped(text)
        text = literal(text)
    return quoted(text, '"' if "'" in text and '"' not in text else "'")


def name_of(key: Any) -> str:
    return key.name if isinstance(key, enum.Enum) else str(key)


def _key(key: str) -> tuple[str, Any, str]:
    """Return a dict key, which cannot be quoted, as written, as parsed, and its text."""
    if BARE_KEY.fullmatch(key):
        return key, key, key
    text = _escaped(key)
    seen, texts = read(f"{{{text}:0}}")
    if not isinstance(seen, dict):
        raise UnwritableError(f"{short(repr(key))} cannot be a key on a command line")
    return text, *next((key, name) for key, (name, _) in texts.items())


def _escaped(text: str) -> str:
    return re.sub(r"[\\()\[\]{}:=, \t]", r"\\\g<0>", text)
