"""Let torch's optimizers step without torch's compiler, whose import takes as long as that of torch itself.

Some methods of the optimizers import the compiler, `torch._dynamo`, at each call, to tell it not to compile them. Only
a program that has imported the compiler needs that.
"""

from __future__ import annotations

import functools
import sys
from types import FunctionType
from typing import Any

import torch
from torch.optim import Optimizer

from cn.discovery import discover

COMPILER = "torch._dynamo"
# All names in the code of these methods. If torch changes what a method does, the method is left as it is.
OTHERS = {COMPILER, "_dynamo", "getattr", "disable", "__dynamo_disable"}
STEPS = {COMPILER, "_dynamo", "cast", "Optimizer", "is_grad_enabled", "set_grad_enabled", "defaults", "graph_break"}


def step_without_compiler() -> None:
    """Change these methods in all imported classes of optimizers, unless the compiler is imported already."""
    if COMPILER in sys.modules:
        return
    for cls in discover.imported([Optimizer]):
        for name, method in list(vars(cls).items()):
            names = set(method.__code__.co_names) if isinstance(method, FunctionType) else set[str]()
            if names in (STEPS, OTHERS):
                setattr(cls, name, _without_compiler(method, steps=names == STEPS))


def _without_compiler(method: Any, *, steps: bool) -> Any:
    """Return a method that calls what `method` wraps; once the compiler is imported, it calls `method` itself."""
    inner = method.__wrapped__

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if COMPILER in sys.modules:
            return method(self, *args, **kwargs)
        if not steps:
            return inner(self, *args, **kwargs)
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            return inner(self, *args, **kwargs)

    return call
