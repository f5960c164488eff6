"""Import torch's compiler, `torch._dynamo`, only where something is compiled: its import takes as long as torch's own.

Each step of torch's optimizers imports the compiler and calls its `graph_break` and `disable`, which change only how
code is compiled.
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
from importlib.util import find_spec, module_from_spec
from types import FunctionType, ModuleType
from typing import Any

import torch

NAME = "torch._dynamo"
LOADING = threading.RLock()


class Late(ModuleType):
    """Stands for the compiler; becomes it as soon as anything but the two functions is asked of it."""

    def graph_break(self, msg: str = "") -> None:
        """Do nothing, since nothing is being compiled."""

    def disable(self, fn: Any = None, recursive: bool = True, **words: Any) -> Any:
        """Return a function that is not compiled, even if a function that is compiled later calls it."""

        @functools.cache
        def disabled() -> Any:
            if type(self) is Late:
                self._load("disable")
            return importlib.import_module(NAME).disable(fn, recursive, **words)

        if not isinstance(fn, FunctionType) or words != {
            "wrapping": False
        }:  # this is no function of torch's optimizers
            return disabled()

        @functools.wraps(fn)
        def call(*args: Any, **kwargs: Any) -> Any:
            return (fn if type(self) is Late else disabled())(*args, **kwargs)

        return call

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":  # Python asks each module for them; for __path__, to import
            raise AttributeError(f"module {NAME!r} has no attribute {name!r}")
        self._load(name)
        return getattr(self, name)

    def _load(self, name: str) -> None:
        """Become the compiler, for the sake of this name of it."""
        with LOADING:
            if "__path__" not in vars(self):
                self._become_it()
            if type(self) is Late:  # this thread is importing it
                raise AttributeError(f"module {NAME!r} has no attribute {name!r} yet")

    def _become_it(self) -> None:
        spec: Any = self.__spec__
        self.__path__ = spec.submodule_search_locations
        try:
            spec.loader.exec_module(self)
        except BaseException:
            sys.modules.pop(NAME, None)  # as after any import that fails
            raise
        object.__setattr__(self, "__class__", ModuleType)
        mode = torch.get_deterministic_debug_mode()  # the compiler has an option of its own for it
        torch.use_deterministic_algorithms(mode > 0, warn_only=mode == 1)


def postpone() -> None:
    """Let this process import the compiler when it is used, if it has not imported it yet."""
    spec = find_spec(NAME) if NAME not in sys.modules else None
    if spec is None:
        return
    late = module_from_spec(spec)
    late.__class__ = Late
    del late.__path__  # the import of a module below it asks for this first
    sys.modules[NAME] = late
