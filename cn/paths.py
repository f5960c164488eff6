"""A path that somebody typed."""

from __future__ import annotations

import os
from pathlib import Path

from cn.errors import UserError, lines, short


def typed(text: str) -> Path:
    """The path of a text, whose `~` at the beginning is a home folder; UserError where there is none."""
    path = os.path.expanduser(text)
    if text.startswith("~") and path == text:
        home = short(text.partition("/")[0])
        raise UserError(lines(f"{short(text)}: there is no home folder {home}", f"for a folder of that name: ./{home}"))
    return Path(path)
