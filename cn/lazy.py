"""Names that a package offers without importing what they need until one is used (PEP 562)."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def lazily(package: str, **homes: str) -> Callable[[str], Any]:
    """A package's `__getattr__`: each name of `homes` is imported from its module when it is first read."""

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(homes[name]), name)

    return find
