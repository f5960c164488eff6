"""Let torch's optimizers step without torch's compiler, whose import takes as long as that of torch itself.

Some methods of the optimizers import the compiler, `torch._dynamo`, at each call, to tell it not to compile them. Only
a program that has imported the compiler needs that.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import torch
from torch.optim import Optimizer

COMPILER = "torch._dynamo"
# All names that the code of these methods uses. If torch changes what they do, they are left as they are.
OTHERS = {COMPILER, "_dynamo", "getattr", "disable", "__dynamo_disable"}
STEPS = {COMPILER, "_dynamo", "cast", "Optimizer", "is_grad_enabled", "set_grad_enabled", "defaults", "graph_break"}


def step_without_compiler() -> None:
    """Change these methods of all optimizers that are imported, unless the compiler is imported already."""
    if COMPILER in sys.modules:
        return
    for cls in _classes(Optimizer):
        for name, method in list(vars(cls).items()):
            names = set(method.__code__.co_names) if isinstance(method, FunctionType) else set[str]()
            if names in (STEPS, OTHERS):
                setattr(cls, name, _without_compiler(method, steps=names == STEPS))


def _classes(cls: type) -> Iterator[type]:
    yield cls
    for each in cls.__subclasses__():
        yield from _classes(each)


def _without_compiler(method: Any, *, steps: bool) -> Any:
    """Return a method that does what this method wraps, and that calls this method once the compiler is imported."""
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
