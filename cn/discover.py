"""Which classes a group offers, found by the path alone: to choose one imports its file, to list them imports all."""

from __future__ import annotations

import contextlib
import gc
import importlib
import inspect
import os
import re
import sys
import traceback
from collections.abc import Generator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from cn import source
from cn.errors import CNError, UserError, hint, lines, short
from cn.registry import bears, group_of, home, key_of
from cn.typable import LONGEST, better, why_not


class NoOptionError(UserError):
    """Nothing has the name that was asked for."""


class NoDefaultError(NoOptionError):
    """No name was asked for, and nothing is called `default`."""


class Broken(NamedTuple):
    """A file that cannot be imported, and why."""

    file: str
    why: str


def find(types: tuple[Any, ...], option: str) -> type:
    """The class that an option of these types names, importing only its file.

    Raises UserError for an unknown option, one of another type, and one whose file is broken.
    """
    seen: Any = None
    for kind in types:
        package = home(kind)
        for module, name in _candidates(package, option):
            _refuse_name(package, module.split(".")[package.count(".") + 1 :])
            for cls in nodes(load(module)):
                key = key_of(cls)
                if (
                    key
                    and key.group == group_of(package)
                    and key.option.isascii()
                    and (key.option == option if name else bears(cls.__name__, module.rsplit(".", 1)[-1]))
                ):
                    if issubclass(cls, types) and not inspect.isabstract(cls):
                        return cls
                    seen = cls
    asked = " or ".join(group_of(home(kind)) for kind in types)
    if seen is not None:
        why = f"{seen.__name__} is not a {_names(types)}"
        if inspect.isabstract(seen):
            missing = ", ".join(f"{name}()" for name in sorted(seen.__abstractmethods__))
            why = f"{seen.__name__} cannot be chosen: it does not define {missing}"
        raise UserError(lines(why, f"defined in {source.place(seen)}", _choices(types, option)))
    raise NoOptionError(lines(f"no {asked} is called {short(option)!r}", _contract(types), _choices(types, option)))


@contextlib.contextmanager
def _uncollected() -> Generator[None]:
    """Without garbage collection: a thousand imports leave none, and to look for it took a quarter of their time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@_uncollected()
def options(types: tuple[Any, ...]) -> tuple[dict[str, type], list[Broken]]:
    """All options of these types by name, and the files that could not be looked into."""
    found: dict[str, type] = {}
    broken: list[Broken] = []
    for kind in types:
        package = home(kind)
        for path, parts in _below(package):
            file = "/".join([*package.split("."), *parts]) + ".py"
            try:
                _refuse_name(package, parts)
                _refuse_twice(Path(path), file)
                for cls in nodes(load(".".join([package, *parts]))):
                    key = key_of(cls)
                    if (
                        key
                        and key.group == group_of(package)
                        and issubclass(cls, types)
                        and not inspect.isabstract(cls)
                    ):
                        if key.option.isascii():
                            found[key.option] = cls
                        else:
                            why = f"{cls.__name__} has letters that cannot be typed as they are"
                            broken.append(Broken(file, f"{why}, rename it to {better(cls.__name__)}"))
            except UserError as error:
                what, *why = str(error).split("\n")
                broken.append(Broken(file, why[0].strip() if what.endswith(" cannot be used") else what))
    return dict(sorted(found.items())), sorted(set(broken))


def load(module: str) -> ModuleType:
    """Import a node file; whatever it raises becomes one error that names the file and the line."""
    if module in sys.modules:
        return sys.modules[module]
    what = f"{_file(module)} cannot be used"
    try:
        return importlib.import_module(module)
    except CNError as error:
        raise UserError(lines(what, *str(error).split("\n"))) from error
    except SyntaxError as error:
        file = error.filename or ""
        file = _file(module) if file.endswith(_file(module)) else os.path.relpath(file)
        raise UserError(lines(what, f"{file}:{error.lineno}: {type(error).__name__}: {error.msg}")) from None
    except (Exception, SystemExit) as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.endswith(_file(module))]
        place = f"{_file(module)}:{frames[-1].lineno}" if frames else _file(module)
        raise UserError(lines(what, f"{place}: {type(error).__name__}: {short(str(error))}")) from error


def _candidates(package: str, option: str) -> Iterator[tuple[str, bool]]:
    """Modules that may hold the option: the file of that name, else a class of the file above it."""
    if not re.fullmatch(r"[^\W_][\w-]*(/[^\W_][\w-]*)*", option) or len(option) > LONGEST:
        return
    parts = option.split("/")
    for folder in map(Path, _folders(package)):
        for depth in range(1, len(parts) + 1):
            path = folder.joinpath(*parts[:depth]).with_suffix(".py")
            _refuse_twice(path, _file(".".join([package, *parts[:depth]])))
            if path.is_file() and depth >= len(parts) - 1:
                yield ".".join([package, *parts[:depth]]), depth < len(parts)


def _refuse_name(package: str, parts: list[str]) -> None:
    """UserError for a file whose name cannot be typed."""
    if why := why_not(parts):
        raise UserError(lines(f"{'/'.join([*package.split('.'), *parts])}.py cannot be used", why))


def _refuse_twice(path: Path, file: str) -> None:
    """UserError for a file beside which a folder with nodes has its name."""
    if path.is_file() and path.with_suffix("").is_dir() and any(path.with_suffix("").glob("*.py")):
        why = f"{file} and {file[:-3]}/ have one name, so Python sees only one of them"
        raise UserError(lines(why, "rename one of the two"))


def _folders(package: str) -> list[str]:
    """Where a package's files are; a module that is none, such as a script, has no options beside it."""
    return list(getattr(importlib.import_module(package), "__path__", []))


def _below(package: str) -> Iterator[tuple[str, list[str]]]:
    """Every public node file below a package, and the parts of its path there."""
    for folder in _folders(package):
        yield from _scan(folder, [])


def _scan(folder: str, above: list[str]) -> Iterator[tuple[str, list[str]]]:
    with os.scandir(folder) as entries:
        found = {entry.name: entry for entry in sorted(entries, key=lambda entry: entry.name)}
        for entry in found.values():
            if entry.name.startswith(("_", ".")):
                continue
            if entry.name.endswith(".py") and entry.is_file():
                yield entry.path, [*above, entry.name[:-3]]
            elif entry.is_dir() and f"{entry.name}.py" not in found:  # which would hide it
                yield from _scan(entry.path, [*above, entry.name])


def nodes(module: ModuleType) -> list[Any]:
    """The public node classes that a module itself defines."""
    found: list[Any] = [cls for cls in vars(module).values() if isinstance(cls, type) and hasattr(cls, "_fields")]
    return [cls for cls in found if cls.__module__ == module.__name__]


def _file(module: str) -> str:
    return module.replace(".", "/") + ".py"


def _names(types: tuple[Any, ...]) -> str:
    return " or ".join(kind.__name__ for kind in types)


def _contract(types: tuple[Any, ...]) -> str:
    return f"options are the subclasses of {', '.join(f'{kind.__name__} ({source.place(kind)})' for kind in types)}"


def _choices(types: tuple[Any, ...], option: str) -> str:
    return hint(option, options(types)[0])
