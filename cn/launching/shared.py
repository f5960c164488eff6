"""Libraries that a process imports once, for the processes that are forked from it."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, cast

from cn.errors import DefinitionError

# Libraries that are slow to import and start no thread at import, so that a forked process may share them.
SHARED = ("torch", "numpy", "scipy", "sklearn", "matplotlib", "PIL", "einops", "rich")


def libraries(run: type, *, several: bool = False) -> tuple[str, ...]:
    """Return the libraries that the class of a run names in `_libraries_`: those that each of its processes needs.

    several: also return those in `_libraries_of_several_`, which the processes of one run need, and single ones do not.
    Raises DefinitionError if they are no tuple, or if one of them is not installed.
    """
    found: list[str] = []
    for where in ("_libraries_", "_libraries_of_several_") if several else ("_libraries_",):
        told: Any = getattr(run, where, ())
        if not (isinstance(told, tuple) and all(isinstance(each, str) for each in cast("tuple[Any, ...]", told))):
            raise DefinitionError(f'{run.__name__}.{where} is {told!r}: write {where} = ("torch",)')
        for name in cast("tuple[str, ...]", told):
            top = name.partition(".")[0]
            if not top.isidentifier() or (top not in sys.modules and find_spec(top) is None):
                raise DefinitionError(f"{run.__name__}.{where} names {name!r}, but it is not installed")
            found.append(name)
    return tuple(found)


def imported() -> list[str]:
    """Return the modules of these libraries that this process has imported."""
    return [name for name in sys.modules if name.partition(".")[0] in SHARED]


def share(modules: Sequence[str]) -> None:
    """Import modules, so that processes that are forked later share them and start in a tenth of the time."""
    if sys.platform != "linux":  # on other platforms a library may not survive a fork
        return
    new = [each for each in modules if each not in sys.modules and not each.startswith("torch._inductor")]
    for name in new:  # without torch._inductor, which starts processes
        with contextlib.suppress(Exception):  # a failed import is repeated, and reported, by the forked process itself
            importlib.import_module(name)
    if new:
        gc.collect()
        gc.freeze()  # a collection in a fork would write to each object, and so copy all of this memory


def prepare(count: int) -> None:
    """Set the variables that torch reads at its import, for `count` processes that run together on this machine."""
    threads = max(1, len(os.sched_getaffinity(0)) // count)  # more threads than cores would slow down each other
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # silences C++ frames of a lost peer


def reseed() -> None:
    """Give numpy's global generator a new state, in a forked process; otherwise all forks draw the same numbers."""
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
