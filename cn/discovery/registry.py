"""The path is the key: which group and option a node class is.

The group of a node is the nearest folder above it whose `__init__.py` holds a contract that the node subclasses, the
option is the rest of its path: `models/encoder/base.py:Base` is `model=encoder/base`. A folder's plural `s` falls off,
and a group below `runs/` is known without it, since its nodes are attributes of every run.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from cn.after_import import after_import, waits_for
from cn.discovery import source
from cn.errors import DefinitionError

ROOT = "runs"  # the folder whose nodes are whole runs
LIBRARY = "cn"  # whose own contracts are groups of every project: cn/launching/launch/ is `launch`


class Key(NamedTuple):
    """`model` and `vit/small`."""

    group: str
    option: str

    def __str__(self) -> str:
        return f"{self.group}={self.option}"


HYDRA = "hydra.core.config_store"
_classes: dict[Key, Any] = {}
_store: Callable[[Key, Any], None] | None = None  # set once Hydra is imported


def feed(store: Callable[[Key, Any], None]) -> None:
    """Pass each concrete class to `store`, those registered now and those registered later."""
    global _store
    _store = store  # set first: a class that another thread registers meanwhile is passed twice, not never
    for key, cls in list(_classes.items()):
        if not cls.__abstractmethods__:
            store(key, cls)


def _to_hydra() -> None:
    importlib.import_module("cn.hydra_compat.store")  # which calls `feed`


after_import(HYDRA, _to_hydra)


def register(cls: Any) -> None:
    """Register a class under its key; DefinitionError if another class has that key."""
    key = key_of(cls)
    if key is None:
        return
    other = _classes.get(key)
    if other is not None and is_library(other) != is_library(cls):  # a project's own takes the place of the library's
        if is_library(cls):
            return
    elif other is not None and (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
        raise DefinitionError(
            f"two nodes have the key {key}",
            f"{other.__name__} at {source.place(other)}",
            f"{cls.__name__} at {source.place(cls)}",
            f"write: another name for class {cls.__name__}, or an underscore before it if nobody chooses it",
        )
    _classes[key] = cls
    if _store is None and HYDRA in sys.modules and not waits_for(HYDRA):
        _to_hydra()
    elif _store is not None and not cls.__abstractmethods__:
        _store(key, cls)


@functools.lru_cache(maxsize=4096)
def key_of(cls: Any) -> Key | None:
    """Return the key of a class; None for a contract, a private class, and a class outside of a package."""
    module = cls.__module__
    parts = module.split(".")
    private = any(part.startswith("_") for part in [*parts, cls.__name__])
    if private or "<locals>" in cls.__qualname__ or len(parts) == 1 or _is_package(module):
        return None
    package = home(cls)
    if package == LIBRARY:  # a part of the library, such as the axes of a sweep, and no option
        return None
    return Key(group_of(package), path_below(cls, package))


def path_below(cls: Any, package: str) -> str:
    """Return the path of a class below a package that it is in: `encoder/resnet` for `runs.model`."""
    return path_of(cls.__module__, cls.__name__, package)


def path_of(module: str, name: str, package: str) -> str:
    """Return the option that a class in a module is, without an import: a record may name a deleted module."""
    rest = module.removeprefix(f"{package}.").split(".")
    return "/".join(rest if bears(name, rest[-1]) else [*rest, snake(name)])


def home(cls: Any) -> str:
    """Return the package of the nearest base class that stands in an `__init__.py`, else the top folder."""
    module = cls.__module__
    packages = [base.__module__ for base in cls.__mro__ if _is_package(base.__module__)]
    above = [package for package in packages if f"{module}.".startswith(f"{package}.")]
    if is_bundle(cls):
        above = [module.rsplit(".", depth)[0] for depth in range(1, module.count(".") + 1)]
        above = [package for package in above if any(map(is_node, vars(sys.modules[package]).values()))]
    if above:
        return max(above, key=len)
    parts = module.split(".")
    return ".".join(parts[: 2 if parts[0] == ROOT and len(parts) > 2 else 1])


def is_node(value: object) -> bool:
    """Return whether a value is a node class; `cn.nodes` cannot be imported here."""
    return isinstance(value, type) and isinstance(getattr(value, "_fields", None), dict)


def is_bundle(cls: Any) -> bool:
    """Return whether a class stands for several nodes. Its group is the nearest folder above it with a contract."""
    return getattr(cls, "_bundle_", False)


@functools.cache
def group_of(package: str) -> str:
    """`models.head` is group `model/head`, `runs.optim` is `optim`, `runs` itself `run`."""
    parts = package.split(".")
    if parts[0] == LIBRARY:
        parts = parts[-1:]
    elif parts[0] == ROOT and len(parts) > 1:
        parts = parts[1:]
    return "/".join(re.sub(r"(?<=tch)es$|(?<=[^s])s$", "", part) for part in parts)


def snake(name: str) -> str:
    """`MaleSmiling` is `male_smiling`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def bears(name: str, file: str) -> bool:
    """Return whether class and file have the same name (case and `_` ignored)."""
    return name.replace("_", "").lower() == file.replace("_", "").lower()


def is_library(cls: type) -> bool:
    """Return whether a class is the library's own, not a project's."""
    return cls.__module__.startswith(f"{LIBRARY}.")


def homes(cls: Any) -> list[str]:
    """Return the packages that hold options of a type, the project's before the library's.

    A part of the library without a contract, such as the goal of a sweep, has no options.
    """
    package = home(cls)
    if package == LIBRARY:
        return []
    group = group_of(package)
    several = f"{group}es" if group.endswith("tch") else f"{group}s"
    own = [f"{ROOT}.{group}", f"{ROOT}.{several}", several] if is_library(cls) else []
    return [*filter(_exists, own), package]


def _exists(package: str) -> bool:
    """Return whether the folder of a package is there; nothing is imported."""
    top, *rest = package.split(".")
    return any(Path(place, *rest).is_dir() for place in folders(top))


def folders(package: str) -> list[str]:
    """Return the folders of a package at the top; none if it is a single file or is not there. It is not imported."""
    spec = importlib.util.find_spec(package)
    return list(spec.submodule_search_locations or []) if spec is not None else []


def is_contract(cls: type) -> bool:
    """Return whether a class stands in a folder's `__init__.py`."""
    return _is_package(cls.__module__)


def _is_package(module: str) -> bool:
    return hasattr(sys.modules.get(module), "__path__")
