"""Which jobs of a queue are a sweep's: the name that they bear lies in its folder, which may be moved or copied.

It is in the first line of each batch and in identity.json, so that no one damaged file loses it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runs._state_files import DamagedError, built, content, parsed
from sweeps._store import Store, write

FILE = "identity.json"


@dataclass(frozen=True)
class Written:
    """What identity.json says."""

    name: str
    home: str
    label: str  # of the batch that was submitted under it last


@dataclass(frozen=True)
class Identity:
    """By what a sweep's jobs are known, and where they look for its folder."""

    names: tuple[str, ...]  # that its jobs may bear, and no other sweep's: the last submission's first
    home: Path  # where the folder was at the last submission
    copied: bool = False  # whether it is still there: the jobs are its own
    moved: bool = False  # whether it is there no more


def identity(store: Store) -> Identity:
    """The identity that the sweep was submitted under last; a new one before its first submission."""
    here = store.folder.absolute()
    told = _told(store)
    if not told:
        if not store.labels():
            return Identity((store.named(secrets.token_hex(4)),), here)
        where = hashlib.sha256(str(here).encode()).hexdigest()[:6]  # as versions did that wrote no name
        return Identity((store.named(where),), here)
    last = told[0]
    elsewhere, copied = not _same(Path(last.home), here), _is_original(last, here)
    own = [each.name for each in {each.name: each for each in reversed(told)}.values() if not _is_original(each, here)]
    names = (last.name,) if copied else tuple(reversed(own))
    return Identity(names, Path(last.home), copied=copied, moved=elsewhere and not copied)


def is_known(store: Store) -> bool:
    """Whether anything was ever submitted, so that the queue may have jobs of the sweep."""
    some = store.labels() or store.set_aside() or store.withdrawn() or store.gone()
    return bool(some) or os.path.lexists(store.folder / FILE)


def next_name(store: Store) -> str:
    """What the next batch's jobs are called: a folder that was copied or moved is a sweep of its own from then on."""
    found = identity(store)
    return store.named(secrets.token_hex(4)) if found.copied or found.moved else found.names[0]


def write_identity(store: Store, name: str, home: Path, label: str) -> None:
    """Write down under what a batch is about to be submitted."""
    write(store.folder / FILE, json.dumps({"name": name, "home": str(home), "label": label}) + "\n")


def _told(store: Store) -> list[Written]:
    """What files say of it that can be read and is about a batch of its own, the last submission first."""
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
    """The name that a batch's script gives its jobs."""
    with suppress(DamagedError):
        script = content(store.jobs / label / "submission.sh") or b""
        if found := re.search(rb"^#SBATCH --job-name=([\w.-]+)$", script, re.MULTILINE):
            return found[1].decode()
    return None


def _is_original(told: Written, here: Path) -> bool:
    """Whether the folder that was submitted is another than this one, and still has the batch."""
    return not _same(Path(told.home), here) and Store(Path(told.home)).knows(told.label)


def _same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one folder."""
    try:
        return one == other or os.path.samefile(one, other)
    except OSError:
        return False
