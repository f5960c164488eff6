"""Names that can be typed: a name from `--help` or completion is parsed back as the same name."""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence

KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")  # the name of a node in a dict of nodes
NONE = "null"  # means "no node", in upper or lower case
LONGEST = 200  # letters of an option


def why_not(parts: Sequence[str]) -> str | None:
    """Return why a file cannot be an option of its group, or None; `parts` is the file's path in the group."""
    for depth, part in enumerate(parts, 1):
        last = depth == len(parts)
        if not part.isidentifier() or keyword.iskeyword(part):
            why = "cannot be imported by Python"
        elif not part.isascii():
            why = "has letters that cannot be typed as they are"
        elif len(parts) == 1 and part.lower() == NONE:
            why = "stands for no node"
        else:
            continue
        whose = "its name" if last else f"the name of its folder {part}"
        return f"{whose} {why}, rename it to {better(part)}{'.py' * last}"
    return "its name is too long to be typed" if len("/".join(parts)) > LONGEST else None


def better(name: str) -> str:
    """Return the nearest name that Python can import and anyone can type."""
    import unicodedata

    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    found = re.sub(r"\W", "_", plain if name.isidentifier() else "".join(c if c.isascii() else "_" for c in name))
    fine = found.isidentifier() and not keyword.iskeyword(found) and found.lower() != NONE
    return found if fine else f"x_{found}"
