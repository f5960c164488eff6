"""The path is the key: which group and option a node class is.

The group of a node is the nearest folder above it whose `__init__.py` holds a contract that the node subclasses, the
option is the rest of its path: `models/encoder/base.py:Base` is `model=encoder/base`. A folder's plural `s` falls off,
and a group below `runs/` is known without it, since its nodes are attributes of every run.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
from typing import Any, NamedTuple

from cn import source
from cn.errors import DefinitionError, lines
from cn.store import Entry, store

ROOT = "runs"  # the folder whose nodes are whole runs


class Key(NamedTuple):
    """`model` and `vit/small`."""

    group: str
    option: str

    def __str__(self) -> str:
        return f"{self.group}={self.option}"


_classes: dict[Key, type] = {}


def register(cls: Any) -> None:
    """Enter a class under its key; refuse a second class with that key."""
    key = key_of(cls)
    if key is None:
        return
    other = _classes.get(key)
    if other is not None and (other.__module__, other.__qualname__) != (
        cls.__module__,
        cls.__qualname__,
    ):
        raise DefinitionError(
            lines(
                f"two nodes have the key {key}",
                f"{other.__name__} at {source.place(other)}",
                f"{cls.__name__} at {source.place(cls)}",
                f"write: another name for class {cls.__name__}, or an underscore before it if nobody chooses it",
            )
        )
    _classes[key] = cls
    if not inspect.isabstract(cls):
        store(Entry(cls, key.group, key.option))


def key_of(cls: Any) -> Key | None:
    """The key of a class; None for a contract, for what an underscore hides, and for what has no folder."""
    module = cls.__module__
    parts = module.split(".")
    private = any(part.startswith("_") for part in [*parts, cls.__name__])
    if private or "<locals>" in cls.__qualname__ or len(parts) == 1 or _is_package(module):
        return None
    package = home(cls)
    rest = parts[len(package.split(".")) :]
    name = snake(cls.__name__)
    if not bears(cls.__name__, rest[-1]):
        rest.append(name)
    return Key(group_of(package), "/".join(rest))


def home(cls: Any) -> str:
    """The package of the nearest contract that a class fulfils, else the folder that it would make a group of."""
    module = cls.__module__
    packages = [base.__module__ for base in cls.__mro__ if _is_package(base.__module__)]
    above = [package for package in packages if f"{module}.".startswith(f"{package}.")]
    if above:
        return max(above, key=len)
    parts = module.split(".")
    return ".".join(parts[: 2 if parts[0] == ROOT and len(parts) > 2 else 1])


@functools.cache
def group_of(package: str) -> str:
    """`models.head` is group `model/head`, `runs.optim` is `optim`, `runs` itself `run`."""
    parts = package.split(".")
    if parts[0] == ROOT and len(parts) > 1:
        parts = parts[1:]
    return "/".join(re.sub(r"(?<=[^s])s$", "", part) for part in parts)


def snake(name: str) -> str:
    """`MaleSmiling` is `male_smiling`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def bears(name: str, file: str) -> bool:
    """Whether a class is called as its file is."""
    return name.replace("_", "").lower() == file.replace("_", "").lower()


def is_contract(cls: type) -> bool:
    """Whether a class stands in a folder's `__init__.py`."""
    return _is_package(cls.__module__)


def _is_package(module: str) -> bool:
    return hasattr(sys.modules.get(module), "__path__")
