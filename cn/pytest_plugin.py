"""Fixtures for tests of your own nodes, in every project where `cn` is installed: nothing is imported by hand.

    def test_every_model_composes(compose, keys):
        for key in keys(Model):
            assert compose(Run, f"model={key}").model.depth > 0

`compose` and `keys` look at the nodes as they are; `isolated_store` and `node_tree` let a test define nodes of its own
and forget them afterwards.
"""

from __future__ import annotations

import importlib
import linecache
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, TypeVar, cast

import pytest

T = TypeVar("T")


class Compose(Protocol):
    """What the fixture `compose` gives."""

    def __call__(self, what: type[T] | T, *overrides: str) -> T: ...


class Keys(Protocol):
    """What the fixture `keys` gives."""

    def __call__(self, what: type | str) -> list[str]: ...


class NodeTree(Protocol):
    """What the fixture `node_tree` gives."""

    def __call__(self, files: Mapping[str, str]) -> Path: ...


@pytest.fixture
def compose() -> Compose:
    """`compose(Run, "model=vit", "seed=3")`: what these overrides make of a contract, a node class or an instance."""

    def compose(what: Any, *overrides: str) -> Any:
        import cn

        return cn.compose(what, overrides)

    return compose


@pytest.fixture
def keys() -> Keys:
    """`keys(Model)`: every option of a contract, as `["cnn", "vit", "vit/small"]`. UserError if a file is broken.

    `keys("model")`: the same of a group, as Hydra's ConfigStore holds it now; files not yet imported are not in it.
    """

    def keys(what: type | str) -> list[str]:
        from cn import discover
        from cn.errors import UserError

        if isinstance(what, str):
            return sorted(option for option in _stored(what) if not option.startswith("_"))
        options, broken = discover.options((what,))
        for file, why in broken:
            raise UserError(f"{file} cannot be used: {why}")
        return list(options)

    return keys


@pytest.fixture
def isolated_store() -> Iterator[Any]:
    """Hydra's ConfigStore, which the test may change: nodes defined within the test are forgotten after it.

    Restored are the store, the keys that are taken, and the modules and packages that nodes were imported from.
    """
    from hydra.core.config_store import ConfigStore
    from hydra.core.plugins import Plugins

    from cn import registry

    Plugins.instance()  # Hydra's own nodes are in the store before it is copied
    store, classes = ConfigStore.instance(), registry._classes  # pyright: ignore[reportPrivateUsage]
    repo, taken, modules = _copied(store.repo), dict(classes), dict(sys.modules)
    try:
        yield store
    finally:
        _forget({cls.__module__ for key, cls in classes.items() if taken.get(key) is not cls}, but=modules)
        _enter({name: module for name, module in modules.items() if sys.modules.get(name) is not module})
        classes.clear()
        classes.update(taken)
        store.repo = repo


@pytest.fixture
def node_tree(isolated_store: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeTree]:
    """`node_tree({"models/__init__.py": "...", "models/vit.py": "..."})`: files that can be imported within the test.

    They are written into a folder of their own, which is returned and stands first on `sys.path`; modules of yours
    with the same names are set aside until the test ends. A second call adds files, or changes them.
    """
    from cn import registry

    root = tmp_path_factory.mktemp("tree")
    classes = registry._classes  # pyright: ignore[reportPrivateUsage]
    written: set[str] = set()

    def node_tree(files: Mapping[str, str]) -> Path:
        for path, source in files.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source)
        written.update(path.split("/")[0].removesuffix(".py") for path in files)
        _forget(written)
        for key in [key for key, cls in classes.items() if cls.__module__.split(".")[0] in written]:
            del classes[key]
        _empty(isolated_store.repo, written)
        importlib.invalidate_caches()
        return root

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root)  # pyright: ignore[reportUnknownMemberType]  # pytest gives its path no type
        patch.setattr(sys, "dont_write_bytecode", True)  # a file changed within a second would be taken for the old
        yield node_tree
        _forget(written)


def _stored(group: str) -> Iterator[str]:
    from hydra.core.config_store import ConfigStore

    from cn.store import Entry

    def visit(folder: dict[str, Any]) -> Iterator[str]:
        for each in folder.values():
            if isinstance(each, dict):
                yield from visit(cast("dict[str, Any]", each))
            elif isinstance(each, Entry) and each.group == "/".join([group, *each.option.split("/")[:-1]]):
                yield each.option

    folder: Any = ConfigStore.instance().repo
    for part in group.split("/"):
        folder = folder.get(part, {})
    return visit(folder)


def _empty(folder: dict[str, Any], packages: set[str]) -> None:
    """Take from the store the nodes of these packages, and the folders that hold no others."""
    from cn.store import Entry, Folder

    for name, each in list(folder.items()):
        if isinstance(each, Folder):
            _empty(each, packages)
        if each == {} or (isinstance(each, Entry) and _module(each.what).split(".")[0] in packages):
            del folder[name]


def _module(what: Any) -> str:
    return (what if isinstance(what, type) else type(what)).__module__


def _copied(folder: dict[str, Any]) -> Any:
    """A folder of the store with folders of its own; what they hold is not copied."""
    return type(folder)(
        (name, _copied(cast("dict[str, Any]", each)) if isinstance(each, dict) else each)
        for name, each in folder.items()
    )


def _forget(names: Iterable[str], but: Mapping[str, ModuleType] | None = None) -> None:
    """Let all modules of the packages that these are in be imported afresh, but for those that are kept."""
    from cn import source

    tops = {name.split(".")[0] for name in names}
    for name in [name for name in sys.modules if name.split(".")[0] in tops]:
        if but is None or but.get(name) is not sys.modules[name]:
            package, _, last = name.rpartition(".")
            if getattr(sys.modules.get(package), last, None) is sys.modules.pop(name):
                delattr(sys.modules[package], last)
    source._classes.cache_clear()  # pyright: ignore[reportPrivateUsage]
    linecache.clearcache()


def _enter(modules: dict[str, ModuleType]) -> None:
    """Put back modules that were set aside, each in its package too, which may come after what it has imported."""
    sys.modules.update(modules)
    for name, module in modules.items():
        package, _, last = name.rpartition(".")
        if package in sys.modules and not hasattr(sys.modules[package], last):
            setattr(sys.modules[package], last, module)
