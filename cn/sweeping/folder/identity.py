"""The identity of a sweep: the name of its jobs in the queue, stored in its folder, which may be moved or copied.

The name is in the first line of each batch and in identity.json, so that one damaged file does not lose it.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cn.run_folder.state_files import DamagedError, built, content, parsed
from cn.sweeping.folder.store import Store, write

FILE = "identity.json"


@dataclass(frozen=True)
class Written:
    """The content of identity.json."""

    name: str
    home: str
    label: str  # of the last batch submitted under the name


@dataclass(frozen=True)
class Identity:
    """The names of a sweep's jobs, and the folder path that the jobs use."""

    names: tuple[str, ...]  # unique names of its jobs, the last submission's first
    home: Path  # the folder's path at the last submission
    copied: bool = False  # whether that folder still exists: the jobs belong to it
    moved: bool = False  # whether that folder no longer exists


def identity(store: Store) -> Identity:
    """Return the identity of the last submission; a new one before the first submission."""
    here = store.folder.absolute()
    told = _told(store)
    if not told:
        if not store.labels():
            return Identity((store.named(os.urandom(4).hex()),), here)
        import hashlib

        where = hashlib.sha256(str(here).encode()).hexdigest()[:6]  # old versions derived the name from the path
        return Identity((store.named(where),), here)
    last = told[0]
    elsewhere, copied = not _same(Path(last.home), here), _is_original(last, here)
    own = [each.name for each in {each.name: each for each in reversed(told)}.values() if not _is_original(each, here)]
    names = (last.name,) if copied else tuple(reversed(own))
    return Identity(names, Path(last.home), copied=copied, moved=elsewhere and not copied)


def is_known(store: Store) -> bool:
    """Return whether anything was ever submitted, so that the queue may have jobs of the sweep."""
    some = store.labels() or store.set_aside() or store.withdrawn() or store.gone()
    return bool(some) or os.path.lexists(store.folder / FILE)


def next_name(store: Store) -> str:
    """Return the job name of the next batch; a copied or moved folder becomes a sweep of its own."""
    found = identity(store)
    return store.named(os.urandom(4).hex()) if found.copied or found.moved else found.names[0]


def write_identity(store: Store, name: str, home: Path, label: str) -> None:
    """Record the identity under which a batch is about to be submitted."""
    write(store.folder / FILE, json.dumps({"name": name, "home": str(home), "label": label}) + "\n")


def _told(store: Store) -> list[Written]:
    """Return the readable records about this folder's own batches, the last submission first."""
    found: list[Written] = []
    with suppress(DamagedError):
        path = store.folder / FILE
        text = content(path)
        if text is not None:
            found.append(built(Written, parsed(text, path), path))
    for label in {*store.labels(), *store.gone(), *store.set_aside()}:
        with suppress(DamagedError, FileNotFoundError):
            head = store.head(label)
            if head.name is not None and head.home is not None:
                found.insert(0, Written(head.name, head.home, label))
        if all(each.label != label for each in found) and (name := _submitted_as(store, label)) is not None:
            found.append(Written(name, str(store.folder.absolute()), label))
    return sorted((each for each in found if store.knows(each.label)), key=lambda each: each.label, reverse=True)


def _submitted_as(store: Store, label: str) -> str | None:
    """Return the job name in a batch's sbatch script, or None."""
    with suppress(DamagedError):
        script = content(store.jobs / label / "submission.sh") or b""
        if found := re.search(rb"^#SBATCH --job-name=([\w.-]+)$", script, re.MULTILINE):
            return found[1].decode()
    return None


def _is_original(told: Written, here: Path) -> bool:
    """Return whether the record's folder is a different one and still has the batch."""
    return not _same(Path(told.home), here) and Store(Path(told.home)).knows(told.label)


def _same(one: Path, other: Path) -> bool:
    """Return whether two paths lead to the same folder."""
    try:
        return one == other or os.path.samefile(one, other)
    except OSError:
        return False
