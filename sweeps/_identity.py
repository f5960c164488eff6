"""Which jobs of a queue are a sweep's: the name that they bear lies in its folder, which may be moved or copied.

It is in the first line of each batch and in identity.json, so that no one damaged file loses it.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
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

    name: str  # that all of its jobs bear, and those of no other sweep
    home: Path  # where the folder was at the last submission
    copied: bool = False  # whether it is still there: the jobs are its own
    moved: bool = False  # whether it is there no more


def identity(store: Store) -> Identity:
    """The identity that the sweep was submitted under last; a new one before its first submission."""
    here = store.folder.absolute()
    for told in _told(store):
        home = Path(told.home)
        elsewhere = not _same(home, here)
        there = elsewhere and os.path.lexists(Store(home).file(told.label))
        return Identity(told.name, home, copied=there, moved=elsewhere and not there)
    if not store.labels():
        return Identity(store.named(secrets.token_hex(4)), here)
    where = hashlib.sha256(str(here).encode()).hexdigest()[:6]  # as versions did that wrote no name
    return Identity(store.named(where), here)


def is_known(store: Store) -> bool:
    """Whether anything was ever submitted, so that the queue may have jobs of the sweep."""
    return bool(store.labels() or store.set_aside() or store.withdrawn()) or os.path.lexists(store.folder / FILE)


def next_identity(store: Store) -> Identity:
    """What the next batch is submitted under; a copy is from then on a sweep of its own."""
    found, here = identity(store), store.folder.absolute()
    return Identity(store.named(secrets.token_hex(4)) if found.copied else found.name, here)


def write_identity(store: Store, name: str, home: Path, label: str) -> None:
    """Write down under what a batch is about to be submitted."""
    write(store.folder / FILE, json.dumps({"name": name, "home": str(home), "label": label}) + "\n")


def _told(store: Store) -> Iterator[Written]:
    """What files say of it that can be read, the last submission first."""
    for label in reversed(store.labels()):
        with suppress(DamagedError, FileNotFoundError):
            head = store.head(label)
            if head.name is not None and head.home is not None:
                yield Written(head.name, head.home, label)
    with suppress(DamagedError):
        path = store.folder / FILE
        text = content(path)
        if text is not None:
            yield built(Written, parsed(text, path), path)


def _same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one folder."""
    try:
        return one == other or os.path.samefile(one, other)
    except OSError:
        return False
