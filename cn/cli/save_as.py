"""`--save-as`: write the composed run as a class, in a file that `run=NAME` finds."""

from __future__ import annotations

import contextlib
import importlib
import keyword
import os
import re
import shlex
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from cn import program
from cn.composing.class_changes import patches_by
from cn.composing.compose import compose, root_name
from cn.discovery import discover, registry
from cn.errors import RunError, UserError, short
from cn.files import write_whole
from cn.nodes.field_types import same
from cn.nodes.node import CN
from cn.nodes.traversal import thaw, values
from cn.writing.record import within
from cn.writing.subclass import changed, subclass

WIDTH = 120
LONGEST = 200  # letters; most file systems allow 255 for a file name


def save(contract: Any, base: CN | None, overrides: list[str], name: str, folder: Path | None) -> str:
    """Write the file and return a message.

    base: the run that `folder` records, if any; a field that holds this folder is left out.
    The class is composed once before the file is written, and once more from the file.
    """
    if not registry.is_contract(contract):
        why = f"--save-as {short(name)}: {contract.__name__} is all that {program.script} runs, so it has no options"
        raise UserError(why, f"write: {contract.__name__} in the __init__.py of a folder")
    word = f"{root_name(contract)}={name}"
    path = _free(contract, name)
    run = compose(_anywhere(base, folder) if base is not None and folder is not None else contract, overrides)
    if not changed(run) and not patches_by(type(run)):
        what = f"there is nothing to save: this is {type(run).__name__} as it stands"
        key = registry.key_of(type(run))
        raise UserError(what, f"to run it: python {program.script} {key}" if key else None)
    module, cls = ".".join([registry.home(contract), *name.split("/")]), _class_name(name)
    packages = registry.home(contract).count(".") + 1 + name.count("/")
    text = subclass(
        run,
        module,
        cls,
        command=f"python {program.script} {word}",
        doc=_sentence(overrides, folder),
        root=path.parents[packages],
    )
    shown = _shown(contract, name)
    _compare(run, _made(text, module, cls, path, shown), shown)
    try:
        _write(path, text, lambda: _compare(run, compose(contract, [word]), shown))
    except OSError as error:
        raise RunError(f"{shown} cannot be written", f"{type(error).__name__}: {error}") from None
    return f"{shown} is written; to run it: python {program.script} {word}"


def _anywhere(base: CN, folder: Path) -> CN:
    """Return a copy of the run without its `folder`, since a new run needs another."""
    copy, (home, _) = thaw(base), within(folder)
    for name, value in values(base).items():
        if isinstance(value, Path) and value.resolve() == home.resolve():
            setattr(copy, name, getattr(type(base)(), name))
    return copy


def _free(contract: Any, name: str) -> Path:
    """Return the path of a new file; UserError if the name is invalid or taken."""
    package = registry.home(contract)
    above = f"{package.replace('.', '/')}/"
    if len(name) > LONGEST:
        raise UserError(f"--save-as {short(name)}: the name is too long for a file", "write: --save-as NAME")
    better = "/".join(map(_better, name.removeprefix(above).removesuffix(".py").strip("/").split("/")))
    instead = f"write: --save-as {better}" if all(map(_is_name, better.split("/"))) else "write: --save-as NAME"
    if name.startswith(above):
        raise UserError(f"--save-as {short(name)}: a name is without {above}", instead)
    for part in name.split("/"):
        if not _is_name(part):
            why = f"--save-as {short(name)}: no file of Python's can be called {short(part)!r} and be chosen"
            raise UserError(why, "a name is of letters, digits and _, and begins with a letter", instead)
    folder = Path(next(iter(importlib.import_module(package).__path__)))
    *folders, last = name.split("/")
    for depth, part in enumerate(folders, 1):
        inner = "/".join(folders[:depth])
        if (folder / f"{inner}.py").exists():
            why = f"--save-as {name}: {above}{inner}.py and a folder {above}{inner}/ would have one name"
            raise UserError(why, f"write: --save-as {name.replace(f'{part}/', f'{part}_', 1)}")
        if (folder / inner / "__init__.py").exists():
            contracts = discover.nodes(discover.load(f"{package}.{inner.replace('/', '.')}"))
            if any(not issubclass(each, contract) for each in contracts):
                why = f"--save-as {name}: {above}{inner}/ holds the options of {part}, and no {root_name(contract)}"
                raise UserError(why, f"write: --save-as {last}")
    path = folder.joinpath(*folders, f"{last}.py")
    if os.path.lexists(path):
        instead = "write: --save-as with another name, or remove the file before"
        raise UserError(f"--save-as {name}: {above}{name}.py is there already", instead)
    if any(folder.joinpath(name).glob("**/*.py")):
        why = f"--save-as {name}: {above}{name}.py and the folder {above}{name}/ would have one name"
        raise UserError(why, f"write: --save-as with another name, such as {name}/NAME")
    return path


def _is_name(part: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", part)) and not keyword.iskeyword(part)


def _better(part: str) -> str:
    """Return the name with invalid characters replaced; the result may still be invalid."""
    better = re.sub(r"[^A-Za-z0-9]+", "_", part).strip("_")
    return f"{better}_" if keyword.iskeyword(better) else better


def _class_name(name: str) -> str:
    """Convert a name to CamelCase: `cmnist/deep_net` is `DeepNet`."""
    camel = "".join(part[:1].upper() + part[1:] for part in name.rpartition("/")[2].split("_"))
    return camel.upper() if keyword.iskeyword(camel) else camel


def _shown(contract: Any, name: str) -> str:
    return f"{registry.home(contract).replace('.', '/')}/{name}.py"


def _sentence(overrides: list[str], folder: Path | None) -> list[str]:
    """Return the origin of the run as the lines of a docstring."""
    typed = list(map(shlex.quote, map(short, overrides)))
    if folder is not None:
        below = os.path.relpath(folder)
        typed = ["--from", shlex.quote(f".../{folder.name}" if below.startswith("..") else below), *typed]
    text = f"What `{' '.join(['python', program.script, *typed])}` composed."
    text = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return textwrap.wrap(text, WIDTH - 10, break_long_words=False, break_on_hyphens=False)


def _made(text: str, module: str, cls: str, path: Path, shown: str) -> CN:
    """Compose the class from its source, before the file exists."""
    made = ModuleType(module)
    made.__file__ = str(path)
    sys.modules[module] = made
    try:
        exec(compile(text, path, "exec"), vars(made))
        return compose(vars(made)[cls])
    except Exception as error:
        why = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        raise UserError(f"{shown} cannot hold this run", why.split("\n")[0]) from error
    finally:
        del sys.modules[module]


def _compare(run: CN, again: CN, shown: str) -> None:
    """Raise UserError if a field of the run has changed."""
    for name, old in values(run).items():
        if not same(old, new := vars(again)[name]):
            what = f"{shown} cannot hold this run: its {name} would be {short(repr(new))}"
            raise UserError(what, f"and is {short(repr(old))}")


def _write(path: Path, text: str, check: Callable[[], None]) -> None:
    """Write the file atomically, and remove it if the check fails."""
    new = [each for each in path.parents if not each.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
        importlib.invalidate_caches()
        check()
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            for each in new:
                shutil.rmtree(each / "__pycache__", ignore_errors=True)
                each.rmdir()
        raise
