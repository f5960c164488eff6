"""Values of YAML that a field can hold: a Path becomes its text, and what has no counterpart is left out."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from cn.importing.reading.yaml_files import File, Keys

LEFT_OUT = object()
DEEPEST = 100  # levels of a file; each later step walks them too


def keep_plain(file: File) -> None:
    """Replace the values of a file that no field can hold, and note each in `file.odd`. A file may be too deep."""
    try:
        body = _plain(file.body, (), file)
    except RecursionError:
        file.body, file.error = {}, "it is nested too deep"
        return
    file.body = {} if body is LEFT_OUT else body


def _plain(value: Any, keys: Keys, file: File) -> Any:
    """Return a value with texts in place of paths; LEFT_OUT for one that no field can hold, also in a list."""
    if len(keys) > DEEPEST:
        raise RecursionError
    if isinstance(value, dict):
        table = cast("dict[Any, Any]", value)
        items = {key: _plain(each, (*keys, key), file) for key, each in table.items()}
        return {key: each for key, each in items.items() if each is not LEFT_OUT}
    if isinstance(value, (list, tuple)):
        held = [_plain(each, (*keys, at), file) for at, each in enumerate(cast("list[Any]", value))]
        return LEFT_OUT if any(each is LEFT_OUT for each in held) else held
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    shown = ".".join(map(str, keys))
    if isinstance(value, PurePath):
        file.odd.append((file.place(keys), f"{shown} is a Path, which becomes its text"))
        return str(value)
    what = f"{shown} holds {type(value).__name__}, which no field can hold, so it is left out"
    file.odd.append((file.place(keys), what))
    return LEFT_OUT
