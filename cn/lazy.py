"""Lazy imports: names of a package (PEP 562), and packages that only some commands need."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

from cn.errors import UserError, lines


def lazily(package: str, **homes: str) -> Callable[[str], Any]:
    """Return a module `__getattr__` that imports each name of `homes` from its module at the first access."""

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(homes[name]), name)

    return find


def needs(package: str, purpose: str) -> None:
    """Raise UserError, with the command that installs it, if a package of the extra `sweeps` is missing."""
    if importlib.util.find_spec(package) is None:
        raise UserError(lines(f"{purpose} needs {package}, which is not installed", "type: pip install 'cn[sweeps]'"))
