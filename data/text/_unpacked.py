"""Unpacks the three texts in a published archive of WikiText."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock

from cn.files import remove_unfinished, replacing
from data._download import cache, writing

MEMBERS = {"train": "wiki.train.tokens", "validation": "wiki.valid.tokens", "test": "wiki.test.tokens"}


def unpacked(archive: Path, *, folder: str) -> Mapping[str, list[Path]]:
    """Return the files of each part in this user's cache, unpacking them atomically if missing."""
    home = cache("wikitext") / folder
    with zipfile.ZipFile(archive) as members, writing(home):
        found = {home / name: members.getinfo(f"{folder}/{name}") for name in MEMBERS.values()}
        if not all(_whole(path, info) for path, info in found.items()):  # a cache that can only be read needs no lock
            home.mkdir(parents=True, exist_ok=True)
            with FileLock(home / "unpacking.lock"):
                for path, info in found.items():
                    if not _whole(path, info):
                        remove_unfinished(home, path.name)
                        with replacing(path) as beside, members.open(info) as source, beside.open("wb") as target:
                            shutil.copyfileobj(source, target)
    return {part: [home / name] for part, name in MEMBERS.items()}


def _whole(path: Path, info: zipfile.ZipInfo) -> bool:
    return path.is_file() and path.stat().st_size == info.file_size
