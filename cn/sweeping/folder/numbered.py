"""Numbered files of a folder, written one after the other under a lock, so that their numbers have no gap."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, TypeVar

from cn.run_folder.state_files import DamagedError, content, parsed, set_aside
from cn.sweeping.folder.store import write

T = TypeVar("T")


class Numbered(Generic[T]):
    """The files PREFIX000000.json, PREFIX000001.json, ...; each is read once."""

    def __init__(self, folder: Path, prefix: str, build: Callable[[Any, Path], T], empty: Callable[[int], T]) -> None:
        """build: makes the content of a file from its JSON. empty: returns the content that replaces a damaged one."""
        self.folder, self.prefix, self.build, self.empty = folder, prefix, build, empty
        self.damaged: list[DamagedError] = []
        self.known: list[T | None] = []  # as of the last call of `every`; None for a damaged file

    def every(self) -> list[T]:
        """Read the files that are new, and return the content of all readable ones in order."""
        while True:
            path = self.path(len(self.known))
            try:
                text = content(path)
                if text is None:
                    return [each for each in self.known if each is not None]
                self.known.append(self.build(parsed(text, path), path))
            except DamagedError as why:
                self.damaged.append(why)
                self.known.append(None)

    def add(self, one: T) -> None:
        """Write the next file; the folder must be locked, after `every`."""
        self._write(len(self.known), one)
        self.known.append(one)

    def mend(self) -> None:
        """Set damaged files aside, and put an empty one in the place of each; the folder must be locked."""
        self.every()
        for number, each in enumerate(self.known):
            if each is None:
                set_aside(self.path(number))
                self._write(number, self.empty(number))

    def path(self, number: int) -> Path:
        return self.folder / f"{self.prefix}{number:06d}.json"

    def _write(self, number: int, one: Any) -> None:
        write(self.path(number), json.dumps(asdict(one)) + "\n")
