"""The options of a group, found by path: choosing an option imports only its file, listing options imports all."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import importlib
import inspect
import os
import re
import sys
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from cn.discovery import source
from cn.discovery.registry import bears, folders, group_of, home, homes, is_bundle, is_node, key_of, path_below
from cn.discovery.typable import LONGEST, better, why_not
from cn.errors import CNError, UserError, hint, short


class NoOptionError(UserError):
    """No option has the requested name."""


class NoDefaultError(NoOptionError):
    """No option was named, and no option is called `default`."""


class Broken(NamedTuple):
    """A file that cannot be imported, and the reason."""

    file: str
    why: str


def find(types: tuple[Any, ...], option: str, *, bundles: bool = False) -> type:
    """Return the class of an option of these types; only the option's file is imported.

    An option of an inner folder can be named by its path: `encoder/resnet` for the types (Model, Encoder).
    bundles: accept a bundle of these types too.
    Raises UserError if the option is unknown, has another type, or its file is broken.
    """
    seen: Any = None
    strange: ModuleType | None = None  # the file of that name, without a node
    for package in _homes(types):
        for module, name in _candidates(package, option):
            _refuse_name(package, module.split(".")[package.count(".") + 1 :])
            loaded = load(module)
            found = nodes(loaded)
            if not found and not name:
                strange = loaded
            for cls in found:
                named = path_below(cls, package) == option if name else bears(cls.__name__, module.rsplit(".", 1)[-1])
                if named and (key := key_of(cls)) and key.option.isascii():
                    if _fits(cls, types, bundles):
                        return cls
                    seen = cls if key.group == group_of(package) else seen
    asked = " or ".join(group_of(home(kind)) for kind in types)
    if seen is not None:
        why = f"{seen.__name__} is not a {' or '.join(kind.__name__ for kind in types)}"
        if inspect.isabstract(seen):
            missing = ", ".join(f"{name}()" for name in sorted(seen.__abstractmethods__))
            why = f"{seen.__name__} cannot be chosen: it does not define {missing}"
        raise UserError(why, f"defined in {source.place(seen)}", hint(option, options(types, bundles=bundles)[0]))
    if alone := only(types):
        fields = ", ".join(each.name for each in dataclasses.fields(alone))
        what = f"{alone.__name__} has no options, so {short(option)!r} cannot be chosen"
        raise NoOptionError(what, f"defined in {source.place(alone)}", fields and f"set its fields: {fields}")
    if strange is not None:
        raise _without_node(strange, types[0])
    for package in _homes(types):
        for _, parts, _ in _below(package):
            if f"{option}/".startswith(f"{'/'.join(map(better, parts))}/"):
                _refuse_name(package, parts)
    what = f"no {asked} is called {short(option)!r}"
    contracts = ", ".join(f"{kind.__name__} ({source.place(kind)})" for kind in types)
    near = hint(option, options(types, bundles=bundles)[0])
    raise NoOptionError(what, f"options are the subclasses of {contracts}", near)


def _without_node(module: ModuleType, kind: type) -> NoOptionError:
    """Return the error about a file without a node, with the line that its class should have."""
    own = [name for name, each in vars(module).items() if getattr(each, "__module__", "") == module.__name__]
    name = next((name for name in own if bears(name, module.__name__.rpartition(".")[2])), None)
    what, see = f"{_file(module.__name__)} holds no subclass of {kind.__name__}", f"see: {source.place(kind)}"
    return NoOptionError(what, name and f"write: class {name}({kind.__name__})", see)


def _fits(cls: type, types: tuple[Any, ...], bundles: bool) -> bool:
    """Return whether a class can be chosen for a field."""
    return (issubclass(cls, types) or (bundles and is_bundle(cls))) and not inspect.isabstract(cls)


def _homes(types: tuple[Any, ...]) -> list[str]:
    return [package for kind in types for package in homes(kind)]


@contextlib.contextmanager
def _uncollected() -> Generator[None]:
    """Pause the garbage collector: importing 1000 node files makes no garbage, and collecting took 25 % of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@_uncollected()
def options(types: tuple[Any, ...], *, bundles: bool = False) -> tuple[dict[str, type], list[Broken]]:
    """Return all options of these types by name, and the files that cannot be used. bundles: bundles of them too."""
    found: dict[str, type] = {}
    broken: list[Broken] = []
    for package in reversed(_homes(types)):  # a project's own options replace the library's
        for path, parts, twice in _below(package):
            file = "/".join([*package.split("."), *parts]) + ".py"
            try:
                _refuse_name(package, parts)
                if twice:
                    _refuse_twice(Path(path), file)
                for cls in nodes(load(".".join([package, *parts]))):
                    key = key_of(cls)
                    if key and key.group == group_of(package) and _fits(cls, types, bundles):
                        if key.option.isascii():
                            if other := found.get(key.option):
                                found[longer(other, types)] = other
                            found[key.option] = cls
                        else:
                            why = f"{cls.__name__} has letters that cannot be typed as they are"
                            broken.append(Broken(file, f"{why}, rename it to {better(cls.__name__)}"))
            except UserError as error:
                what, *why = str(error).split("\n")
                broken.append(Broken(file, why[0].strip() if what.endswith(" cannot be used") else what))
    return dict(sorted(found.items())), sorted(set(broken))


def imported(types: Iterable[type]) -> Iterator[type]:
    """Yield these types and all imported classes below them, private ones too."""
    for cls in types:
        yield cls
        yield from imported(cls.__subclasses__())


def only(types: tuple[Any, ...]) -> type[Any] | None:
    """Return the class that needs no choice: it is the only type, not abstract, and has no options."""
    alone = [each for each in types if not inspect.isabstract(each)]
    return alone[0] if len(alone) == len(types) == 1 and not options(types)[0] else None


def longer(cls: Any, types: tuple[Any, ...]) -> str:
    """Return the name of an option from the first folder of these types that contains the class; "" if none does."""
    above = [package for package in _homes(types) if cls.__module__.startswith(f"{package}.")]
    return path_below(cls, above[0]) if above else ""


def load(module: str) -> ModuleType:
    """Import a node file; an exception becomes one UserError that names the file and the line."""
    if module in sys.modules:
        return sys.modules[module]
    what = f"{_file(module)} cannot be used"
    try:
        return importlib.import_module(module)
    except CNError as error:
        told = str(error).split("\n")
        at = None if any(f"{_file(module)}:" in line for line in told) else f"at {_line(module, error)}"
        raise UserError(what, *told, at) from error
    except SyntaxError as error:
        file = error.filename or ""
        file = _file(module) if file.endswith(_file(module)) else os.path.relpath(file)
        raise UserError(what, f"{file}:{error.lineno}: {type(error).__name__}: {error.msg}") from None
    except (Exception, SystemExit) as error:
        raise UserError(what, f"{_line(module, error)}: {type(error).__name__}: {short(str(error))}") from error


def _line(module: str, error: BaseException) -> str:
    """Return the file of a module with the last of its lines that led to an error."""
    import traceback

    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.endswith(_file(module))]
    return f"{_file(module)}:{frames[-1].lineno}" if frames else _file(module)


def _candidates(package: str, option: str) -> Iterator[tuple[str, bool]]:
    """Yield the modules that may define the option: the file of that name, or the file above it."""
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
    """Raise UserError if the name of a file cannot be typed."""
    if why := why_not(parts):
        raise UserError(f"{'/'.join([*package.split('.'), *parts])}.py cannot be used", why)


def _refuse_twice(path: Path, file: str) -> None:
    """Raise UserError if a file and a folder with nodes beside it have the same name."""
    if path.is_file() and path.with_suffix("").is_dir() and any(path.with_suffix("").glob("*.py")):
        why = f"{file} and {file[:-3]}/ have one name, so Python sees only one of them"
        raise UserError(why, "rename one of the two")


def _folders(package: str) -> list[str]:
    """Return the folders of a package; a plain module, such as a script, has no folder and so no options."""
    return list(getattr(importlib.import_module(package), "__path__", []))


def _below(package: str) -> Iterator[tuple[str, list[str], bool]]:
    """Yield every public node file below a package, its path there in parts, and whether a folder has its name."""
    for folder in _folders(package):
        yield from _scan(folder, [])


def _scan(folder: str, above: list[str]) -> Iterator[tuple[str, list[str], bool]]:
    with os.scandir(folder) as entries:
        found = {entry.name: entry for entry in sorted(entries, key=lambda entry: entry.name)}
        for entry in found.values():
            if entry.name.startswith(("_", ".")):
                continue
            if entry.name.endswith(".py") and entry.is_file():
                yield entry.path, [*above, entry.name[:-3]], entry.name[:-3] in found
            elif entry.is_dir() and f"{entry.name}.py" not in found:  # a file of the same name would hide the folder
                yield from _scan(entry.path, [*above, entry.name])


def nodes(module: ModuleType) -> list[Any]:
    """Return the public node classes that the module itself defines."""
    return [cls for cls in vars(module).values() if is_node(cls) and cls.__module__ == module.__name__]


def _file(module: str) -> str:
    is_folder = "." not in module and folders(module)
    return f"{module}/__init__.py" if is_folder else module.replace(".", "/") + ".py"
