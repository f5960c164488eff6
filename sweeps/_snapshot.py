"""The code as it was at a submission, which the jobs of a sweep import whatever is edited while they wait.

A snapshot is a folder named after the digest of the Python files that trials import, and that of all other files.
It is never changed, but for the bytecode that Python keeps there, so that a thousand jobs compile it once.
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

from cn import RunError, UserError
from cn.errors import lines, short
from runs._folder import sync
from runs._state_files import set_aside
from sweeps._code import Members, copied, members, parents

MOST, MOST_OF_ONE = 100_000_000, 20_000_000  # bytes, of all files and of one
DIGITS, OTHERS = 10, 6  # of the digest of the Python files, and of that of all others
TRIES = 5  # copies, while the files are being changed
ELSEWHERE = "to put the sweep elsewhere: folder=PATH"


def digest(root: Path) -> str:
    """Ten hexadecimal digits of the Python files of the code as it is now: paths, contents, executable or not.

    The sweeps themselves are not among them: what they choose is in the configuration of each trial.
    """
    return _digest(_python(root, members(root)), DIGITS)


def take(root: Path, into: Path) -> str:
    """Copy the code to `into/DIGEST-OTHERS`, whole or not at all, unless it is there; returns the folder's name.

    Raises UserError for code that is too large or cannot be read, and RunError where it cannot be written.
    """
    try:
        into.mkdir(parents=True, exist_ok=True)
        if not (into / ".gitignore").exists():
            (into / ".gitignore").write_text("*\n")  # a snapshot is no part of the code, wherever it lies
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
                written = _name(partial, found)  # other files may have changed since, such as a log that grows
                if written[:DIGITS] == name[:DIGITS]:  # no Python file has, so those that were copied go together
                    _rename(partial, into / written)
                    return written
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise RunError(lines(f"cannot copy the code to {into}: {error.strerror or error}", ELSEWHERE)) from None
    what = f"the Python files of {root} were changed while they were copied, {TRIES} times"
    raise RunError(lines(what, "submit again when nothing writes there"))


def is_whole(snapshot: Path, *, others: bool = False) -> bool:
    """Whether a snapshot holds what its name says: the Python files, and with `others` all of it."""
    if not snapshot.is_dir():
        return False
    try:
        found = copied(snapshot)
        now = _name(snapshot, found) if others else _digest(_python(snapshot, found), DIGITS)
    except UserError:  # a file of it cannot be read
        return False
    return snapshot.name.startswith(now)


def refuse_damaged(snapshot: Path) -> None:
    """RunError for a snapshot whose Python files are not those that were submitted."""
    if snapshot.is_dir() and not is_whole(snapshot):
        raise RunError(
            lines(f"the code that was submitted is damaged: {snapshot}", "to copy it again: submit or retry")
        )


def verify(snapshot: Path) -> None:
    """RunError if a loaded module that belongs to the snapshot was imported from anywhere else."""
    if not snapshot.is_dir():
        raise RunError(lines(f"the code that was submitted is no more: {snapshot}", "submit again"))
    inside = os.path.realpath(snapshot) + os.sep
    wrong = [f"{name} from {file}" for name, file in _loaded(snapshot) if not os.path.realpath(file).startswith(inside)]
    if wrong:
        more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise RunError(
            lines(
                f"this process does not run the code that was submitted, {snapshot}",
                f"it imported {', '.join(sorted(wrong)[:3])}{more}",
                f"its PYTHONPATH: {os.environ.get('PYTHONPATH', 'not set')}",
                "look for what sets that, or imports before it: a setup line, sitecustomize, an editable install",
            )
        )


def environment(snapshot: Path) -> dict[str, str]:
    """What a process needs to import from the snapshot first; the PYTHONPATH of this one comes behind it."""
    first = os.path.abspath(snapshot)
    if os.pathsep in first:
        raise UserError(lines(f"PYTHONPATH cannot hold a folder with {os.pathsep!r} in its name: {first}", ELSEWHERE))
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    # an empty entry is the current folder, and without PYTHONSAFEPATH `python -m` puts that before all others
    path = dict.fromkeys([first, *(each for each in inherited if each)])
    return {"PYTHONPATH": os.pathsep.join(path), "PYTHONSAFEPATH": "1"}


def changes(old: Path, root: Path) -> list[str]:
    """The Python files that were added, removed or changed since a snapshot was taken."""
    before = _python(old, copied(old))
    now = _python(root, members(root))
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def imported(name: str) -> bool:
    """Whether trials are taken to import a file: all of Python but the sweeps themselves."""
    parts = name.split("/")
    return name.endswith(".py") and (parts[0] != "sweeps" or any(part.startswith("_") for part in parts))


def _name(root: Path, found: Members) -> str:
    python = _python(root, found)
    others = {name: target for name, target in found.items() if name not in python}
    return f"{_digest(python, DIGITS)}-{_digest(_hashes(root, others), OTHERS)}"


def _python(root: Path, found: Members) -> dict[str, str]:
    """A hash of each Python file that trials import, and where each link to a folder leads."""
    chosen = {name: to for name, to in found.items() if imported(name) or _is_folder(root, name, to)}
    return _hashes(root, chosen)


def _hashes(root: Path, found: Members) -> dict[str, str]:
    """A hash of each file that is there, and where each link to a folder leads."""
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
    """Whether a member is a link to a folder, though a copy leaves out a folder that holds no file."""
    return target is not None and not os.path.isfile(os.path.join(root, name))


def _digest(hashes: dict[str, str], digits: int) -> str:
    rows = [os.fsencode(text) for name in sorted(hashes) for text in (name, hashes[name])]
    return hashlib.sha256(b"\0".join(rows)).hexdigest()[:digits]


def _read(path: str, name: str) -> tuple[bytes | None, bool]:
    """What a file holds, None if it is no more; and whether it is executable."""
    try:
        with open(path, "rb") as file:
            return file.read(), bool(os.fstat(file.fileno()).st_mode & stat.S_IXUSR)
    except (FileNotFoundError, NotADirectoryError):
        return None, False
    except OSError as error:
        what = f"{short(name)} belongs to the code and cannot be read: {error.strerror}"
        raise UserError(lines(what, f"to leave it out: {_ignore(name)}")) from None


def _copy(root: Path, found: Members, to: Path) -> None:
    """Write all members that are still there."""
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
        mode = 0o555 if executable else 0o444  # a traceback leads an editor here, and jobs are still to import it
        with open(os.open(to / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
        written.append(to / name)
    for path in written:
        sync(path)  # after all are written, when the disk takes them at once


def _rename(partial: Path, snapshot: Path) -> None:
    try:
        partial.rename(snapshot)
    except OSError:
        if not snapshot.is_dir():  # otherwise another process was faster, with the same
            raise


def _remove_stale(into: Path) -> None:
    """What processes of this machine left behind when they were killed."""
    for path in into.glob(".*.*"):
        host, _, process = path.name[1:].rpartition(".")
        if host == os.uname().nodename and process.isdigit() and not _alive(int(process)):
            shutil.rmtree(path, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
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
        lines(
            f"{root} is too large to be copied for a sweep: {total}",
            f"the most is {MOST / 1e6:.0f} MB in all, and {MOST_OF_ONE / 1e6:.0f} MB in one file",
            f"largest: {', '.join(f'{short(name)} ({sizes[name] / 1e6:.1f} MB)' for name in largest)}",
            f"to leave out what is no code: {_ignore(largest[0])}",
            f"if git tracks it: git rm --cached {shlex.quote(largest[0])}",
            "without git: move it into downloads, which is never copied",
        )
    )


def _ignore(name: str) -> str:
    return f"echo {short(shlex.quote('/' + name))} >> .gitignore"


def _loaded(snapshot: Path) -> Iterator[tuple[str, str]]:
    """Each loaded module that belongs to a snapshot, and the file that it came from."""
    ours = {path.parent.name for path in snapshot.glob("*/__init__.py")} | {path.stem for path in snapshot.glob("*.py")}
    shared = {path.name for path in snapshot.iterdir() if path.is_dir()} - ours  # others may have such a folder too
    for name, module in list(sys.modules.items()):
        if name == "__main__":  # of python -m NAME
            name = getattr(getattr(module, "__spec__", None), "name", name)
        top = name.partition(".")[0]
        path = snapshot / name.replace(".", os.sep)
        if top in ours or (top in shared and (path.with_suffix(".py").exists() or (path / "__init__.py").exists())):
            file = getattr(module, "__file__", None)
            if file:
                yield name, file
