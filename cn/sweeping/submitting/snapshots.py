"""Snapshots of the code: the jobs of a sweep import the code of their submission, whatever is edited meanwhile.

A snapshot is a folder named by two digests: of the Python files that trials import, and of all other files. It is
never changed, except for Python's bytecode cache, so that a thousand jobs compile it once.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from cn.errors import RunError, UserError, short
from cn.files import sync
from cn.run_folder.state_files import set_aside
from cn.sweeping.submitting.code_files import Members, copied, members, parents

MOST, MOST_OF_ONE = 100_000_000, 20_000_000  # bytes, of all files and of one file
DIGITS, OTHERS = 10, 6  # digits of the digest of the Python files, and of the other files
TRIES = 5  # attempts to copy while the files change
ELSEWHERE = "to put the sweep elsewhere: folder=PATH"


def digest(root: Path) -> str:
    """Return ten hex digits: the digest of the code's Python files (path, content, executable bit).

    Sweep files are excluded: the configuration of each trial records their effect.
    """
    return _digest(_python(root, members(root)), DIGITS)


def take(root: Path, into: Path) -> str:
    """Copy the code to `into/DIGEST-OTHERS` atomically, unless it exists; return the folder's name.

    Raises UserError if the code is too large or unreadable, and RunError if it cannot be written.
    """
    try:
        into.mkdir(parents=True, exist_ok=True)
        if not (into / ".gitignore").exists():
            (into / ".gitignore").write_text("*\n")  # a snapshot is never part of the code
        _remove_stale(into)
        for _ in range(TRIES):
            found = members(root, without=into.parent)
            _check_size(root, found)
            name = _name(root, found)
            if is_whole(into / name, others=True):
                return name
            if os.path.lexists(into / name):
                set_aside(into / name)
            partial = into / f".{os.uname().nodename}.{os.getpid()}"
            shutil.rmtree(partial, ignore_errors=True)
            try:
                _copy(root, found, partial)
                written = _name(partial, found)  # other files may have changed meanwhile, such as a growing log
                if written[:DIGITS] == name[:DIGITS]:  # the Python files are unchanged, so the copies are consistent
                    _rename(partial, into / written)
                    return written
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise RunError(f"cannot copy the code to {into}: {error.strerror or error}", ELSEWHERE) from None
    what = f"the Python files of {root} were changed while they were copied, {TRIES} times"
    raise RunError(what, "submit again when nothing writes there")


def is_whole(snapshot: Path, *, others: bool = False) -> bool:
    """Return whether a snapshot matches the digest in its name: the Python files, and with `others` all files."""
    if not snapshot.is_dir():
        return False
    try:
        found = copied(snapshot)
        now = _name(snapshot, found) if others else _digest(_python(snapshot, found), DIGITS)
    except UserError:  # a file cannot be read
        return False
    return snapshot.name.startswith(now)


def refuse_damaged(snapshot: Path) -> None:
    """Raise RunError if the Python files of a snapshot have changed since the submission."""
    if snapshot.is_dir() and not is_whole(snapshot):
        raise RunError(f"the code that was submitted is damaged: {snapshot}", "to copy it again: submit or retry")


def verify(snapshot: Path) -> None:
    """Raise RunError if a loaded module of the snapshot was imported from anywhere else."""
    if not snapshot.is_dir():
        raise RunError(f"the code that was submitted is no more: {snapshot}", "submit again")
    inside = os.path.realpath(snapshot) + os.sep
    wrong = [f"{name} from {file}" for name, file in _loaded(snapshot) if not os.path.realpath(file).startswith(inside)]
    if wrong:
        more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise RunError(
            f"this process does not run the code that was submitted, {snapshot}",
            f"it imported {', '.join(sorted(wrong)[:3])}{more}",
            f"its PYTHONPATH: {os.environ.get('PYTHONPATH', 'not set')}",
            "look for what sets that, or imports before it: a setup line, sitecustomize, an editable install",
        )


def environment(snapshot: Path) -> dict[str, str]:
    """Return the environment that puts the snapshot first on the import path, before the inherited PYTHONPATH."""
    first = os.path.abspath(snapshot)
    if os.pathsep in first:
        raise UserError(f"PYTHONPATH cannot hold a folder with {os.pathsep!r} in its name: {first}", ELSEWHERE)
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    # an empty entry means the current folder; without PYTHONSAFEPATH, `python -m` puts that folder first
    path = dict.fromkeys([first, *(each for each in inherited if each)])
    return {"PYTHONPATH": os.pathsep.join(path), "PYTHONSAFEPATH": "1"}


def changes(old: Path, root: Path) -> list[str]:
    """Return the Python files that were added, removed or changed since a snapshot."""
    before = _python(old, copied(old))
    now = _python(root, members(root))
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def imported(name: str) -> bool:
    """Return whether a file counts as imported by trials: every Python file except the sweeps themselves."""
    parts = name.split("/")
    return name.endswith(".py") and (parts[0] != "sweeps" or any(part.startswith("_") for part in parts))


def _name(root: Path, found: Members) -> str:
    python = _python(root, found)
    others = {name: target for name, target in found.items() if name not in python}
    return f"{_digest(python, DIGITS)}-{_digest(_hashes(root, others), OTHERS)}"


def _python(root: Path, found: Members) -> dict[str, str]:
    """Return a hash of each Python file that trials import, and the target of each link to a folder."""
    chosen = {name: to for name, to in found.items() if imported(name) or _is_folder(root, name, to)}
    return _hashes(root, chosen)


def _hashes(root: Path, found: Members) -> dict[str, str]:
    """Return a hash of each existing file, and the target of each link to a folder."""
    hashes: dict[str, str] = {}
    for name, target in found.items():
        if _is_folder(root, name, target):
            hashes[name] = f"link to {target}"
            continue
        content, executable = _read(os.path.join(root, name), name)
        if content is not None:
            hashes[name] = f"{'x' if executable else '-'} {hashlib.sha256(content).hexdigest()}"
    return hashes


def _is_folder(root: Path, name: str, target: str | None) -> bool:
    """Return whether a member is a link to a folder; a copy omits folders without files."""
    return target is not None and not os.path.isfile(os.path.join(root, name))


def _digest(hashes: dict[str, str], digits: int) -> str:
    rows = [os.fsencode(text) for name in sorted(hashes) for text in (name, hashes[name])]
    return hashlib.sha256(b"\0".join(rows)).hexdigest()[:digits]


def _read(path: str, name: str) -> tuple[bytes | None, bool]:
    """Return a file's content, None if it no longer exists, and whether it is executable."""
    try:
        with open(path, "rb") as file:
            return file.read(), bool(os.fstat(file.fileno()).st_mode & stat.S_IXUSR)
    except (FileNotFoundError, NotADirectoryError):
        return None, False
    except OSError as error:
        what = f"{short(name)} belongs to the code and cannot be read: {error.strerror}"
        raise UserError(what, f"to leave it out: {_ignore(name)}") from None


def _copy(root: Path, found: Members, to: Path) -> None:
    """Copy all members that still exist."""
    to.mkdir()
    for folder in sorted({parent for name in found for parent in parents(name)}):
        (to / folder).mkdir()
    written: list[Path] = []
    for name, target in found.items():
        if target is not None:
            (to / name).symlink_to(target)
            continue
        content, executable = _read(os.path.join(root, name), name)
        if content is None:
            continue
        mode = 0o555 if executable else 0o444  # read-only: an editor may open it from a traceback
        with open(os.open(to / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
        written.append(to / name)
    for path in written:
        sync(path)  # after all writes, so that the disk can combine them


def _rename(partial: Path, snapshot: Path) -> None:
    try:
        partial.rename(snapshot)
    except OSError:
        if not snapshot.is_dir():  # another process has written the same snapshot
            raise


def _remove_stale(into: Path) -> None:
    """Remove the partial copies of killed processes on this machine."""
    for path in into.glob(".*.*"):
        host, _, process = path.name[1:].rpartition(".")
        if host == os.uname().nodename and process.isdigit() and not _alive(int(process)):
            shutil.rmtree(path, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # owned by another user
        return True
    return True


def _check_size(root: Path, found: Members) -> None:
    paths = {name: os.path.join(root, name) for name, target in found.items() if target is None}
    sizes = {name: os.path.getsize(path) for name, path in paths.items() if os.path.exists(path)}
    if sum(sizes.values()) <= MOST and max(sizes.values(), default=0) <= MOST_OF_ONE:
        return
    largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
    total = f"{sum(sizes.values()) / 1e6:.1f} MB in {len(sizes)} files"
    raise UserError(
        f"{root} is too large to be copied for a sweep: {total}",
        f"the most is {MOST / 1e6:.0f} MB in all, and {MOST_OF_ONE / 1e6:.0f} MB in one file",
        f"largest: {', '.join(f'{short(name)} ({sizes[name] / 1e6:.1f} MB)' for name in largest)}",
        f"to leave out what is no code: {_ignore(largest[0])}",
        f"if git tracks it: git rm --cached {shlex.quote(largest[0])}",
        "without git: move it into downloads, which is never copied",
    )


def _ignore(name: str) -> str:
    return f"echo {short(shlex.quote('/' + name))} >> .gitignore"


def _loaded(snapshot: Path) -> Iterator[tuple[str, str]]:
    """Yield each loaded module of a snapshot, and its file."""
    ours = {path.parent.name for path in snapshot.glob("*/__init__.py")} | {path.stem for path in snapshot.glob("*.py")}
    # other packages may have a folder of that name too
    shared = {path.name for path in snapshot.iterdir() if path.is_dir()} - ours
    for name, module in list(sys.modules.items()):
        if name == "__main__":  # started with python -m NAME
            name = getattr(getattr(module, "__spec__", None), "name", name)
        top = name.partition(".")[0]
        path = snapshot / name.replace(".", os.sep)
        if top in ours or (top in shared and (path.with_suffix(".py").exists() or (path / "__init__.py").exists())):
            file = getattr(module, "__file__", None)
            if file:
                yield name, file
