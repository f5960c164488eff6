"""Paths that a user typed, and the folder of all runs."""

from __future__ import annotations

import os
from pathlib import Path

from cn.errors import UserError, lines, short

OUTPUTS = Path("outputs")


def at_home(path: Path) -> Path:
    """Return a path that a class gives, with a leading `~` expanded, as a shell expands it on the command line."""
    return path.expanduser() if path.parts[:1] == ("~",) else path


def typed(text: str) -> Path:
    """Return the path with a leading `~` expanded; UserError if that home folder does not exist."""
    path = os.path.expanduser(text)
    if text.startswith("~") and path == text:
        home = short(text.partition("/")[0])
        raise UserError(lines(f"{short(text)}: there is no home folder {home}", f"for a folder of that name: ./{home}"))
    return Path(path)
