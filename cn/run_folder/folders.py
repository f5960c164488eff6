"""Find run folders: all below a folder, or one by the beginning of its name."""

from __future__ import annotations

import fcntl
import os
import re
import shlex
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cn import program
from cn.errors import UserError, hint, short
from cn.paths import typed
from cn.run_folder.folder import OUTPUTS
from cn.screen import say
from cn.writing.record import FILE

STAMPED = re.compile(r"(.*/)?\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(?=_[^/]*\Z)")  # outputs/TIME_OVERRIDES, up to TIME


class Found(NamedTuple):
    """A run folder."""

    began: float  # seconds since the epoch, when its configuration was written
    folder: Path


def below(*roots: Path) -> list[Found]:
    """Return all run folders below the roots, the roots included, the newest last; links are not followed."""
    found: dict[Path, Found] = {}
    todo = list(roots)
    while todo:
        folder = todo.pop()
        try:
            with os.scandir(folder) as entries:
                inside = {entry.name: entry for entry in entries}
            if FILE in inside:
                found[folder] = Found(inside[FILE].stat().st_mtime, folder)
                continue  # a run folder holds no other runs
        except OSError as error:  # not found: it was removed just now, or its configuration is a link to nothing
            if folder in roots:
                raise
            if not isinstance(error, FileNotFoundError):
                say(f"{folder} is left out: {error.strerror}", error=True)
            continue
        own = {"code", "jobs"} if "jobs" in inside else set[str]()  # a sweep keeps code there, not runs
        todo += [
            folder / name for name, each in inside.items() if name not in own and each.is_dir(follow_symlinks=False)
        ]
    return sorted(found.values())


def names(folders: Iterable[Path]) -> dict[Path, str]:
    """Return a short name for each folder: its path, with TIME_OVERRIDES cut to TIME if TIME is unique."""
    stamps = {folder: match[0] if (match := STAMPED.match(str(folder))) else str(folder) for folder in folders}
    counts = Counter(stamps.values()) + Counter(str(above) for folder in stamps for above in folder.parents)
    return {folder: stamp if counts[stamp] == 1 else str(folder) for folder, stamp in stamps.items()}


def find(words: Iterable[str]) -> list[Path]:
    """Return the run folder for each word: a path, or the beginning of a name in outputs/. UserError otherwise."""
    folders: list[Path] | None = None
    found: list[Path] = []
    for word in words:
        folder = typed(word)
        if not (folder / FILE).is_file():
            folders = [each.folder for each in below(OUTPUTS)] if folders is None and OUTPUTS.is_dir() else folders
            folder = _beginning(str(folder), folders or [])
        if folder in found:
            raise UserError(f"{short(str(folder))} is named twice", f"see: python {program.script}")
        found.append(folder)
    return found


def _beginning(word: str, folders: list[Path]) -> Path:
    called = {folder: (str(folder), str(folder.relative_to(OUTPUTS)), folder.name) for folder in folders}
    fitting = [folder for folder, forms in called.items() if any(form.startswith(word) for form in forms)]
    exact = [folder for folder in fitting if word in called[folder]]
    if len(exact or fitting) == 1:
        return (exact or fitting)[0]
    see = f"see: python {program.script}"
    if Path(word).is_dir():
        inside = below(Path(word))
        what = f"{short(word)} is not a run folder: it has no {FILE}"
        near = f"it holds {len(inside)} of them, the last: {short(str(inside[-1].folder))}" if inside else None
        raise UserError(what, near, f"{see} {shlex.quote(word)}" if inside else see)
    if not folders:
        raise UserError(f"there is no run below {OUTPUTS}", to_train())
    if fitting:
        some = ", ".join(str(folder) for folder in fitting[:3]) + (", ..." if len(fitting) > 3 else "")
        raise UserError(f"{len(fitting)} runs begin with {short(word)!r}: {some}", "type more of one", see)
    known = {form: name for folder, name in names(folders).items() for form in (name, folder.name)}
    raise UserError(f"no run begins with {short(word)!r}", hint(word, known, most=3), see)


def to_train() -> str | None:
    """Return the advice for a project without runs; None if its program has another name than usual."""
    return "to train one: python train.py" if Path("train.py").is_file() else None


def held(folder: Path) -> bool:
    """Return whether a process holds the lock of the run folder; True too if the lock cannot be tested.

    The test takes the lock for a moment, and a run that claims the folder in that moment is refused.
    """
    try:
        with (folder / ".lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
