"""Unpacks the three texts in a published archive of WikiText."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock

from cn.files import remove_unfinished, replacing
from data._download import cache

MEMBERS = {"train": "wiki.train.tokens", "validation": "wiki.valid.tokens", "test": "wiki.test.tokens"}


def unpacked(archive: Path, *, folder: str) -> Mapping[str, list[Path]]:
    """Return the files of each part in this user's cache, unpacking them atomically if missing."""
    home = cache("wikitext") / folder
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "unpacking.lock"), zipfile.ZipFile(archive) as members:
        for name in MEMBERS.values():
            info = members.getinfo(f"{folder}/{name}")
            if not (home / name).is_file() or (home / name).stat().st_size != info.file_size:
                remove_unfinished(home, name)
                with replacing(home / name) as beside, members.open(info) as source, beside.open("wb") as target:
                    shutil.copyfileobj(source, target)
    return {part: [home / name] for part, name in MEMBERS.items()}
