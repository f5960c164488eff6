"""The run folders that there are: found below a folder, or by the beginning of a name."""

from __future__ import annotations

import fcntl
import os
import re
import shlex
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cn import UserError
from cn.errors import hint, lines, short
from cn.paths import typed
from cn.record import FILE
from runs._folder import OUTPUTS

STAMPED = re.compile(r"(.*/)?\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(?=_[^/]*\Z)")  # outputs/TIME_OVERRIDES, up to TIME


class Found(NamedTuple):
    """A run folder."""

    began: float  # seconds since the epoch, when its configuration was written
    folder: Path


def below(*roots: Path) -> list[Found]:
    """All run folders in these, or that these are, the newest last; links in them are not followed."""
    found: dict[Path, Found] = {}
    todo = list(roots)
    while todo:
        folder = todo.pop()
        with os.scandir(folder) as entries:
            inside = {entry.name: entry for entry in entries}
        if FILE in inside:
            found[folder] = Found(inside[FILE].stat().st_mtime, folder)
            continue  # what is in a run folder is the run's own
        own = {"code", "jobs"} if "jobs" in inside else set[str]()  # of a sweep: the code that it runs is no run
        todo += [
            folder / name for name, each in inside.items() if name not in own and each.is_dir(follow_symlinks=False)
        ]
    return sorted(found.values())


def names(folders: Iterable[Path]) -> dict[Path, str]:
    """What to call each: its path, of which TIME_OVERRIDES is cut to TIME where no other begins so."""
    stamps = {folder: match[0] if (match := STAMPED.match(str(folder))) else str(folder) for folder in folders}
    counts = Counter(stamps.values())
    return {folder: stamp if counts[stamp] == 1 else str(folder) for folder, stamp in stamps.items()}


def find(words: Iterable[str]) -> list[Path]:
    """The run folder that each word is, or of whose name in outputs/ it is the beginning."""
    folders: list[Path] | None = None
    found: list[Path] = []
    for word in words:
        folder = typed(word)
        if not (folder / FILE).is_file():
            folders = [each.folder for each in below(OUTPUTS)] if folders is None and OUTPUTS.is_dir() else folders
            folder = _beginning(str(folder), folders or [])
        if folder in found:
            raise UserError(lines(f"{short(str(folder))} is named twice", "see: python -m runs"))
        found.append(folder)
    return found


def _beginning(word: str, folders: list[Path]) -> Path:
    called = {folder: (str(folder), str(folder.relative_to(OUTPUTS)), folder.name) for folder in folders}
    fitting = [folder for folder, forms in called.items() if any(form.startswith(word) for form in forms)]
    exact = [folder for folder in fitting if word in called[folder]]
    if len(exact or fitting) == 1:
        return (exact or fitting)[0]
    see = "see: python -m runs"
    if Path(word).is_dir():
        inside = below(Path(word))
        what = f"{short(word)} is not a run folder: it has no {FILE}"
        near = f"it holds {len(inside)} of them, the last: {short(str(inside[-1].folder))}" if inside else None
        raise UserError(lines(what, near, f"{see} {shlex.quote(word)}" if inside else see))
    if not folders:
        raise UserError(lines(f"there is no run below {OUTPUTS}", "to train one: python train.py"))
    if fitting:
        some = ", ".join(str(folder) for folder in fitting[:3]) + (", ..." if len(fitting) > 3 else "")
        raise UserError(lines(f"{len(fitting)} runs begin with {short(word)!r}: {some}", "type more of one", see))
    known = {form: name for folder, name in names(folders).items() for form in (name, folder.name)}
    raise UserError(lines(f"no run begins with {short(word)!r}", hint(word, known, most=3), see))


def held(folder: Path) -> bool:
    """Whether a process is writing to the run folder; True too where that cannot be asked.

    The kernel tells it by giving us the lock, or not: a run that wants it in that moment would be refused.
    """
    try:
        with (folder / ".lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
