"""The project whose sweeps are meant: its class of sweeps, its root, and the command for the verbs."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import re
from pathlib import Path

from cn.discovery.discover import load
from cn.discovery.registry import folders
from cn.errors import UserError
from cn.sweeping.sweep import Sweep

SWEEPS = "sweeps"  # the folder of a project's sweeps


@functools.cache
def script() -> str:
    """Return the program of the verbs, after `python`: a project with sweeps/__main__.py has one of its own."""
    return "-m sweeps" if any(Path(each, "__main__.py").is_file() for each in folders(SWEEPS)) else "-m cn sweeps"


def verbs() -> str:
    """Return the command that takes a verb."""
    return f"python {script()}"


def contract() -> type[Sweep]:
    """Return the class that the project's sweeps inherit from, in sweeps/__init__.py; the library's if it has none.

    UserError, with file and line, if that file cannot be imported.
    """
    if importlib.util.find_spec(SWEEPS) is None:
        return Sweep
    package = load(SWEEPS)
    found = [each for each in vars(package).values() if isinstance(each, type) and issubclass(each, Sweep)]
    return next((each for each in found if each.__module__ == SWEEPS), Sweep)


def _program() -> str | None:
    """Return the line that names the program of the current folder, if there is one that calls `main(FUNCTION)`."""
    for path in sorted(Path().glob("*.py")):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if called := re.search(r"^\s*(?:cn\.)?main\((\w+)\b", path.read_text(encoding="utf-8"), re.MULTILINE):
                return f'write in the class of the sweep: _function_ = "{path.stem}:{called[1]}"'
    return None


def root_of(function: str) -> Path:
    """Return the folder of the program whose function is called `module:name`. UserError if the module is not found."""
    module = function.partition(":")[0]
    spec = importlib.util.find_spec(module.partition(".")[0])
    if spec is None or spec.origin is None:
        what = f"there is no {module}.py here, whose function each trial calls"
        instead = "go to the folder of the project, or write one: python -m cn new PROJECT"
        raise UserError(what, _program() or instead)
    path = Path(spec.origin).resolve()
    return path.parents[1] if path.name == "__init__.py" else path.parent
