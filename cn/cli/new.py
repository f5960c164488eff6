"""`python -m cn new PROJECT`: a small project, whose files are those of cn/new/."""

from __future__ import annotations

import keyword
import re
import shutil
import sys
from pathlib import Path

from cn import program
from cn.cli.parser import Parser
from cn.errors import RunError, UserError, short
from cn.paths import typed
from cn.program import quoted
from cn.screen import answering, say

TEMPLATE = Path(__file__).parents[1] / "new"
NAMED = ("pyproject.toml", "README.md")  # files in which PROJECT stands for the project's name
HELP = """\
python -m cn new PROJECT

Write a small project in the new folder PROJECT: a model, a data set, a run, a sweep, train.py and a test.
It runs, sweeps and passes its own test as it stands."""


@answering()
def new(words: list[str]) -> None:
    """Write the project. UserError for a folder that is not empty, and for a name that cannot be imported."""
    program.script = "-m cn new"
    flags = Parser()
    flags.add_argument("folders", nargs="*")
    flags.add_argument("-h", "--help", action="store_true")
    given = flags.parse_intermixed_args(words)
    if given.help:
        return say(HELP)
    if len(given.folders) != 1:
        what = f"new writes one project, and {len(given.folders) or 'none'} {'are' if given.folders else 'is'} named"
        raise UserError(what, "write: python -m cn new PROJECT")
    folder = typed(given.folders[0])
    if folder.absolute() == Path.cwd() or folder.name == "..":
        raise UserError(f"{quoted(given.folders[0])} is no new folder", "write: python -m cn new PROJECT")
    name = folder.name
    _refuse_name(name, folder)
    try:
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise UserError(f"{folder} is there already, and is no folder", "write: another name")
        if folder.is_dir() and any(folder.iterdir()):
            raise UserError(f"{folder} is there already, and is not empty", "write: another name")
        _write(folder, name)
    except OSError as error:
        raise RunError(f"{folder} cannot be written: {error}", "write: a folder elsewhere") from None
    say(f"{folder}: a project that runs as it stands\n  next: cd {quoted(str(folder))} && python train.py")
    return None


def _write(folder: Path, name: str) -> None:
    """Write the files beside the folder, and rename them to it: a process that is killed leaves no part of a project.

    What it leaves beside is removed by the next call.
    """
    beside = folder.with_name(f".{folder.name}.unfinished")
    if beside.is_dir() and not beside.is_symlink():
        shutil.rmtree(beside)
    try:
        for file in files():
            path = beside / file
            path.parent.mkdir(parents=True, exist_ok=True)
            text = (TEMPLATE / file).read_text(encoding="utf-8")
            path.write_text(text.replace("PROJECT", name) if str(file) in NAMED else text, encoding="utf-8")
        beside.replace(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def files() -> list[Path]:
    """Return the files of the template, without bytecode."""
    found = (path.relative_to(TEMPLATE) for path in TEMPLATE.rglob("*") if path.is_file())
    return sorted(path for path in found if "__pycache__" not in path.parts)


def _refuse_name(name: str, folder: Path) -> None:
    why = None
    if not name.isidentifier() or keyword.iskeyword(name) or not name.isascii():
        why = "imported: it is no name of Python's"
    elif name.strip("_") != name:
        why = "installed: a package's name begins and ends with a letter or a digit"
    if why is not None:
        plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
        plain = f"x{plain}" if plain[:1].isdigit() else f"{plain}_runs" if keyword.iskeyword(plain) else plain
        near = f"nearest: {folder.with_name(plain)}" if plain.isidentifier() else None
        raise UserError(f"{short(name)!r} cannot be {why}", near)
    if name in sys.stdlib_module_names or name == "cn":
        owner = "cn itself" if name == "cn" else "a module of Python's"
        raise UserError(f"{name!r} would hide {owner}", f"nearest: {folder.with_name(name + '_runs')}")
