"""Paths that a user typed, and the folder of all runs."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path

from cn.errors import UserError, hint, short

OUTPUTS = Path("outputs")


def at_home(path: Path) -> Path:
    """Return a path that a class gives, with a leading `~` expanded, as a shell expands it on the command line."""
    return path.expanduser() if path.parts[:1] == ("~",) else path


def without_ending(path: Path, what: str, default: str, known: Iterable[str] = ()) -> UserError:
    """Return the error about an output file whose ending does not say a format.

    what: such as `a page is not`. default: the ending that is offered. known: all formats, if there are several.
    """
    told = f"{short(str(path))}: {what} written as {path.suffix or 'a file without an ending'}"
    formats = sorted(known)
    near = hint(path.suffix.removeprefix(".").lower(), formats) if formats else None
    return UserError(told, near, f"write: -o {shlex.quote(str(path.with_suffix(default)))}")


def typed(text: str) -> Path:
    """Return the path with a leading `~` expanded; UserError if that home folder does not exist."""
    path = os.path.expanduser(text)
    if text.startswith("~") and path == text:
        home = short(text.partition("/")[0])
        raise UserError(f"{short(text)}: there is no home folder {home}", f"for a folder of that name: ./{home}")
    return Path(path)
