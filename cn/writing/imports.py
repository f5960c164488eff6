"""The import statements of a module, in the order of `ruff check --select I`, with 120 columns."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

WIDTH = 120


def import_lines(modules: set[str], froms: dict[str, set[str]], is_own: Callable[[str], bool]) -> list[str]:
    """Return the imports in three blocks: standard library, installed packages, the project's modules.

    is_own: whether a module is one of the project.
    """

    def block(module: str) -> int:
        return 0 if module.split(".")[0] in sys.stdlib_module_names else 2 if is_own(module) else 1

    found: dict[int, list[str]] = {}
    for module in sorted(modules, key=_natural):
        found.setdefault(block(module), []).append(f"import {module}")
    for module in sorted(froms, key=_natural):
        names = sorted(froms[module], key=_member)
        line = f"from {module} import {', '.join(names)}"
        if len(line) > WIDTH:
            line = f"from {module} import (\n" + "".join(f"    {name},\n" for name in names) + ")"
        found.setdefault(block(module), []).append(line)
    return "\n\n".join("\n".join(found[each]) for each in sorted(found)).split("\n")


def _natural(text: str) -> tuple[list[str | int], str]:
    """Sort key: `a2` before `a10`, case-insensitive."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text.lower())], text


def _member(name: str) -> tuple[int, tuple[list[str | int], str]]:
    """Sort key: constants before classes before other names, by spelling."""
    return 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2, _natural(name)
