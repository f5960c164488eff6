"""The import statements of a module, in the order of `ruff check --select I`."""

from __future__ import annotations

import re
import sys

WIDTH = 120
PROJECT = ("runs", "resolvers", "sweeps")


def blocks(modules: set[str], froms: dict[str, set[str]]) -> list[list[str]]:
    """Return the imports in blocks: standard library, installed packages, the project's modules."""
    found: dict[int, list[str]] = {}
    for module in sorted(modules, key=_natural):
        found.setdefault(_block(module), []).append(f"import {module}")
    for module in sorted(froms, key=_natural):
        names = sorted(froms[module], key=_member)
        line = f"from {module} import {', '.join(names)}"
        if len(line) > WIDTH:
            line = f"from {module} import (\n" + "".join(f"    {name},\n" for name in names) + ")"
        found.setdefault(_block(module), []).append(line)
    return [found[each] for each in sorted(found)]


def _block(module: str) -> int:
    top = module.split(".")[0]
    return 0 if top in sys.stdlib_module_names else 2 if top in PROJECT else 1


def _natural(text: str) -> tuple[list[str | int], str]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text.lower())], text


def _member(name: str) -> tuple[int, tuple[list[str | int], str]]:
    return 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2, _natural(name)
