"""Pytest fixtures for tests of your own nodes, in every project where `cn` is installed; no import is needed.

    def test_every_model_composes(compose, keys):
        for key in keys(Model):
            assert compose(Run, f"model={key}").model.depth > 0

`compose` and `keys` read the existing nodes; `isolated_store` and `node_tree` let a test define temporary nodes.
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
    """The type of the fixture `compose`."""

    def __call__(self, what: type[T] | T, *overrides: str) -> T: ...


class Keys(Protocol):
    """The type of the fixture `keys`."""

    def __call__(self, what: type | str) -> list[str]: ...


class NodeTree(Protocol):
    """The type of the fixture `node_tree`."""

    def __call__(self, files: Mapping[str, str]) -> Path: ...


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the copies of the code in the folders of sweeps: their tests are those of an older state."""
    return True if collection_path.name == "code" and (collection_path.parent / "sweep.json").is_file() else None


@pytest.fixture
def compose() -> Compose:
    """`compose(Run, "model=vit", "seed=3")`: compose a contract, a node class or an instance with these overrides."""

    def compose(what: Any, *overrides: str) -> Any:
        import cn

        return cn.compose(what, overrides)

    return compose


@pytest.fixture
def keys() -> Keys:
    """`keys(Model)`: every option of a contract, as `["cnn", "vit", "vit/small"]`. UserError if a file is broken.

    `keys("model")`: the options of a group now in Hydra's ConfigStore, which lacks files that are not yet imported.
    """

    def keys(what: type | str) -> list[str]:
        from cn.discovery import discover
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
    """Hydra's ConfigStore, isolated: nodes that are defined within the test are removed after it.

    The fixture restores the store, the registered keys, and the modules and packages of the nodes.
    """
    from hydra.core.config_store import ConfigStore
    from hydra.core.plugins import Plugins

    from cn.discovery import registry

    Plugins.instance()  # put Hydra's own nodes into the store before the copy
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
    """`node_tree({"models/__init__.py": "...", "models/vit.py": "..."})`: write files that the test can import.

    The files are written into a new folder, which is returned and stands first on `sys.path`; your own modules with the
    same names are set aside until the test ends. A second call adds or replaces files.
    """
    from cn.discovery import registry

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
        patch.setattr(sys, "path", [str(root), *sys.path])
        patch.setattr(sys, "dont_write_bytecode", True)  # a stale .pyc could hide a change within a second
        yield node_tree
        _forget(written)
        for folder in [folder for folder in sys.path_importer_cache if folder.startswith(str(root))]:
            del sys.path_importer_cache[folder]  # each import would look at those of all tests before


def _stored(group: str) -> Iterator[str]:
    from hydra.core.config_store import ConfigStore

    from cn.hydra_compat.store import Entry

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
    """Remove the nodes of these packages from the store, and the folders that become empty."""
    from cn.hydra_compat.store import Entry, Folder

    for name, each in list(folder.items()):
        if isinstance(each, Folder):
            _empty(each, packages)
        if each == {} or (isinstance(each, Entry) and _module(each.what).split(".")[0] in packages):
            del folder[name]


def _module(what: Any) -> str:
    return (what if isinstance(what, type) else type(what)).__module__


def _copied(folder: dict[str, Any]) -> Any:
    """Copy a folder of the store and its subfolders, but not their entries."""
    return type(folder)(
        (name, _copied(cast("dict[str, Any]", each)) if isinstance(each, dict) else each)
        for name, each in folder.items()
    )


def _forget(names: Iterable[str], but: Mapping[str, ModuleType] | None = None) -> None:
    """Remove all modules of these packages from `sys.modules`, except those in `but`, to import them anew."""
    from cn.discovery import source

    tops = {name.partition(".")[0] for name in names}
    below = tuple(f"{top}." for top in tops)
    for name in [name for name in sys.modules if name in tops or name.startswith(below)]:
        if but is None or but.get(name) is not sys.modules[name]:
            package, _, last = name.rpartition(".")
            if getattr(sys.modules.get(package), last, None) is sys.modules.pop(name):
                delattr(sys.modules[package], last)
    source._classes.cache_clear()  # pyright: ignore[reportPrivateUsage]
    linecache.clearcache()


def _enter(modules: dict[str, ModuleType]) -> None:
    """Restore modules that were set aside, also as attributes of their packages; the order of the modules does not
    matter.
    """
    sys.modules.update(modules)
    for name, module in modules.items():
        package, _, last = name.rpartition(".")
        if package in sys.modules and not hasattr(sys.modules[package], last):
            setattr(sys.modules[package], last, module)
