"""The files that count as code: those that git tracks or would track; without git, all but known build outputs."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

from cn.errors import UserError, short

RESULTS = ("outputs", "downloads")  # never code, ignored by git or not
MADE = (*RESULTS, "build", "dist")  # without git, not code either

Members = dict[str, str | None]  # relative path -> None for a file, or the target of a kept link


def members(root: Path, *, without: Path | None = None) -> Members:
    """Return the members of the code; files in `without` are excluded, unless that folder has Python files."""
    names = _git_lists(root)
    if not names:  # no git work tree, or git ignores this folder
        names = list(_walk(str(root), ""))
    real = os.path.realpath(root)
    if without is not None and not any(without.glob("*.py")):
        apart = os.path.relpath(os.path.realpath(without), real) + os.sep
        names = [name for name in names if not name.startswith(apart)]
    names = [name for name in names if _kept(name)]
    known = {".", *names, *(parent for name in names for parent in parents(name))}
    found = {name: _member(real, name, known) for name in names}  # git lists a file in conflict three times
    return {name: target or None for name, target in found.items() if target is not None}


def copied(snapshot: Path) -> Members:
    """Return the members of a copy of the code, without Python's bytecode."""
    found: Members = {}
    for folder, folders, files in os.walk(snapshot):
        for each in (*files, *folders):
            path = os.path.join(folder, each)
            name = os.path.relpath(path, snapshot)
            if _kept(name) and (os.path.islink(path) or each in files):
                found[name] = os.readlink(path) if os.path.islink(path) else None
    return found


def parents(name: str) -> Iterator[str]:
    """Yield the parent folders of a relative path, the nearest first."""
    while name := os.path.dirname(name):
        yield name


def _member(real: str, name: str, known: set[str]) -> str | None:
    """Return the target of a kept link, "" for a file to copy, None for anything else."""
    path = os.path.join(real, name)
    if not os.path.islink(path) or not os.path.exists(path):  # a broken link is left out
        return "" if os.path.isfile(path) else None
    target = os.path.realpath(path)
    inside = os.path.relpath(target, real)
    if inside in known:
        return os.path.relpath(target, os.path.dirname(path))
    if os.path.isfile(target):
        return ""
    if not os.path.isdir(target) or not inside.startswith(os.pardir):  # a folder that git ignores
        return None
    if os.path.exists(os.path.join(target, "__init__.py")):
        what = f"{short(name)} is a link to a package outside of the code, so it would not be copied: {target}"
        raise UserError(what, "put the package itself there, or install it and remove the link")
    return target


def _kept(name: str) -> bool:
    parts = name.split(os.sep)
    return parts[0] not in RESULTS and "__pycache__" not in parts


def _git_lists(root: Path) -> list[str]:
    """Return the files that git tracks or would track, including submodules and nested repositories; [] without git."""
    hooked = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")  # git hooks set these, and git would look elsewhere
    environ = {name: value for name, value in os.environ.items() if name not in hooked}
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        asked = subprocess.run(command, capture_output=True, check=False, env={**environ, "LC_ALL": "C"})
    except FileNotFoundError:
        return []
    if asked.returncode:
        said = short((os.fsdecode(asked.stderr).strip() or f"status {asked.returncode}").splitlines()[0])
        if "not a git repository" in said:
            return []
        here = shlex.quote(os.path.realpath(root))
        cure = f"see: git -C {here} status"
        if "dubious ownership" in said:
            owned = shlex.quote(said.rpartition(" at ")[2].strip("'"))
            cure = f"if you trust its owner: git config --global --add safe.directory {owned}"
        raise UserError(f"git cannot list the files of {root}: {said}", cure)
    names: list[str] = []
    for name in filter(None, os.fsdecode(asked.stdout).split("\0")):
        nested = os.path.join(root, name)
        if os.path.islink(nested) or not os.path.isdir(nested):
            names.append(name)
        elif os.path.exists(os.path.join(nested, ".git")):  # otherwise the submodule is not checked out
            names += [os.path.join(name, each) for each in _git_lists(Path(nested))]
    return names


def _walk(root: str, below: str) -> Iterator[str]:
    """Without git: yield every file and link outside of hidden folders, build outputs and virtual environments."""
    for entry in _entries(os.path.join(root, below)):
        name = os.path.join(below, entry.name)
        if not entry.is_dir(follow_symlinks=False):
            yield name
        elif not (name in MADE or entry.name.startswith(".") or entry.name.endswith(".egg-info") or _apart(entry.path)):
            yield from _walk(root, name)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # an unreadable folder cannot be imported from
        return []


def _apart(folder: str) -> bool:
    """Return whether a folder marks itself as no code: a virtual environment, or a .gitignore for all its files."""
    if os.path.exists(os.path.join(folder, "pyvenv.cfg")):
        return True
    try:
        with open(os.path.join(folder, ".gitignore"), "rb") as file:
            return file.read(8).strip() == b"*"
    except OSError:
        return False
