"""The beginning of a module: its import statements."""

from __future__ import annotations

from cn.writing.imports import import_lines

PROJECT = ("runs", "resolvers", "sweeps")


def head(froms: dict[str, set[str]], modules: set[str] | None = None) -> list[str]:
    """Return the first lines of a module, with an empty line at the end."""
    rows = ["from __future__ import annotations", ""]
    if modules or froms:
        rows += [*import_lines(modules or set(), froms, lambda module: module.split(".")[0] in PROJECT), ""]
    return rows
