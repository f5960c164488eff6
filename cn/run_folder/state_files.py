"""State files: all are read here, so that an error names the damaged file and everything else goes on.

A file is damaged if its content cannot have been written by us: no text, no JSON, wrong types, a folder, a broken link.
"""

from __future__ import annotations

import functools
import json
import math
import os
import stat
import types
from collections.abc import Callable
from dataclasses import MISSING, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from cn.errors import RunError, short

LONGEST = 1e12  # s; no measured time is longer

T = TypeVar("T")


class DamagedError(RunError):
    """The content of a state file is not what was written to it."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} is damaged: {why}")
        self.path, self.why = path, why


def content(path: Path, *, last: int | None = None, line: bool = False) -> bytes | None:
    """Return a file's content, or only its last bytes or its first line; None if it is missing. Raises DamagedError."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # opening a pipe would block
            kind = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(kind):
                raise DamagedError(path, "it is no file")
            if last is not None:
                file.seek(max(0, file.seek(0, 2) - last))
            return file.readline() if line else file.read()
    except FileNotFoundError:
        if path.is_symlink():
            raise DamagedError(path, "it is a link to what is not there") from None
        return None
    except IsADirectoryError:
        raise DamagedError(path, "it is a folder") from None
    except OSError as error:
        raise DamagedError(path, f"it cannot be read: {error.strerror}") from None


def parsed(text: bytes, path: Path) -> Any:
    """Parse JSON. Raises DamagedError."""
    try:
        return json.loads(text)
    except UnicodeDecodeError:
        why = "it holds bytes that are no text"
    except ValueError as error:
        why = f"it holds no JSON: {str(error).partition(':')[0]}" if text.strip() else "it is empty"
    except RecursionError:
        why = "it holds no JSON: too deep"
    raise DamagedError(path, why)


def read(path: Path) -> Any:
    """Parse a JSON file; None if it is missing. Raises DamagedError."""
    text = content(path)
    return None if text is None else parsed(text, path)


def built(kind: type[T], told: Any, path: Path) -> T:
    """Build a dataclass from a JSON object; keys without a field are ignored. Raises DamagedError."""
    if not isinstance(told, dict):
        raise DamagedError(path, "it holds no object")
    given = cast("dict[str, Any]", told)
    values: dict[str, Any] = {}
    for name, fits, made, required in _fields(kind):
        if name in given:
            if not fits(given[name]):
                raise DamagedError(path, f"it holds {name}={short(json.dumps(given[name]))}")
            values[name] = made(given[name])
        elif required:
            raise DamagedError(path, f"it holds no {name}")
    return kind(**values)


def set_aside(path: Path) -> Path:
    """Rename a damaged or obstructing file or folder to NAME.damaged in the same folder, and return the new path."""
    names = (f"{path.name}.damaged{'' if number == 1 else f'.{number}'}" for number in range(1, 10_000))
    aside = next(each for each in map(path.with_name, names) if not os.path.lexists(each))
    path.rename(aside)
    return aside


def make_way(path: Path) -> None:
    """Set aside a folder at the path to which a file is about to be renamed."""
    if path.is_dir() and not path.is_symlink():
        set_aside(path)


def make_folder(path: Path) -> None:
    """Make a folder; a file or a link at its path is set aside."""
    if os.path.lexists(path) and not path.is_dir():
        set_aside(path)
    path.mkdir(parents=True, exist_ok=True)


def clear(path: Path) -> None:
    """Set aside a folder, a broken link or an unwritable file at the path of a file."""
    try:
        usable = not os.path.lexists(path) or path.is_file()
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK)) if usable else None
    except FileNotFoundError:
        return
    except PermissionError:
        usable = False
    if not usable:
        set_aside(path)


class _Field(NamedTuple):
    """How a field of a dataclass is read."""

    name: str
    fits: Callable[[Any], bool]  # whether a JSON value can be its value
    made: Callable[[Any], Any]  # makes its value from a JSON value that fits
    required: bool


@functools.cache
def _fields(kind: type[Any]) -> list[_Field]:
    """Return how each field of a dataclass is read; once for each class, since a sweep has thousands of files."""
    hints = get_type_hints(kind)
    return [
        _Field(
            name=each.name,
            fits=_fitting(hints[each.name]),
            made=_making(hints[each.name]),
            required=each.default is MISSING and each.default_factory is MISSING,
        )
        for each in fields(kind)
    ]


def _fitting(hint: Any) -> Callable[[Any], bool]:
    """Return a function that tells whether a JSON value fits a field of this type."""
    origin, inside = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda value: True
    if origin in (Union, types.UnionType):
        members = [_fitting(each) for each in inside]
        return lambda value: any(fits(value) for fits in members)
    if origin is Literal:
        return lambda value: isinstance(value, str) and value in inside
    if origin is tuple:
        item = _fitting(inside[0])
        return lambda value: isinstance(value, list) and all(map(item, cast("list[Any]", value)))
    if _is_words(hint):
        words = {str(each) for each in hint}
        return lambda value: isinstance(value, str) and value in words
    if hint is float:
        return lambda value: type(value) in (int, float) and math.isfinite(value) and abs(value) < LONGEST
    if hint is str:
        return lambda value: isinstance(value, str) and "\0" not in value
    return lambda value: type(value) is (origin or hint)


def _making(hint: Any) -> Callable[[Any], Any]:
    """Return a function that makes the value of a field of this type from a JSON value."""
    if get_origin(hint) is tuple:
        return tuple
    return hint if _is_words(hint) else lambda value: value


def _is_words(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, StrEnum)
