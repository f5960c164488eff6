"""Import hooks: call a function once a module has been imported, here to fill Hydra's ConfigStore when Hydra comes.

A finder stands first on `sys.meta_path` until the module is found. It delegates to the finders behind it and wraps only
the loader, so the imported module, its spec and its loader are the same as without the hook.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType


def after_import(module: str, action: Callable[[], object]) -> None:
    """Call `action` once, right after the module has been imported, in the importing thread.

    If the import fails, the hook waits for the next attempt. If the module is already imported, `action` is never
    called.
    """
    if module not in sys.modules:
        sys.meta_path.insert(0, _Finder(module, action))


def waits_for(module: str) -> bool:
    """Return whether an action is still pending for the module."""
    return any(isinstance(each, _Finder) and each.module == module for each in sys.meta_path)


class _Finder:
    def __init__(self, module: str, action: Callable[[], object]) -> None:
        self.module = module
        self.action = action

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != self.module:
            return None
        for other in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            spec = other.find_spec(name, path, target)
            if spec is not None:
                spec.loader = _Loader(spec.loader, self)  # type: ignore[assignment]
                return spec
        return None

    def done(self) -> None:
        """Remove this finder from `sys.meta_path` and call the action."""
        if self in sys.meta_path:
            # assign a new list: a thread that iterates over the old one would otherwise skip the finder behind this one
            sys.meta_path = [each for each in sys.meta_path if each is not self]
            self.action()


class _Loader:
    """Wraps the loader that was found, and delegates every other attribute to it."""

    def __init__(self, found: Any, finder: _Finder) -> None:
        self._found = found
        self._finder = finder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._found, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._found.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._found
        module.__loader__ = self._found
        self._found.exec_module(module)
        self._finder.done()
