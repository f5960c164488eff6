"""Lazy imports: names of a package (PEP 562), and packages that only some commands need."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from cn.errors import UserError


def lazily(package: str, **homes: str) -> Callable[[str], Any]:
    """Return a module `__getattr__` that imports each name of `homes` from its module at the first access."""

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(homes[name]), name)

    return find


def needs(what: str, *packages: str, install: str = "'cn[sweeps]'") -> None:
    """Raise UserError, with the command that installs them, if packages are missing that only some commands need.

    what: the option or the command that needs them. install: what pip is told.
    """
    absent = [package for package in packages if not _is_there(package)]
    if absent:
        told = f"{what}: {' and '.join(absent)} {'is' if len(absent) == 1 else 'are'} not installed"
        raise UserError(told, f"type: pip install {install}")


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # the parent package is missing
        return False
