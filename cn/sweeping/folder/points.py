"""The points that a search has asked: search/000012.json in the sweep's folder, written before a trial of it begins.

The number of these files is the part of the search's budget that is spent. They are written under a lock, one after
the other, so that their numbers have no gap.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from cn.run_folder.state_files import DamagedError, built, content, parsed
from cn.sweeping.folder.batches import Trial
from cn.sweeping.folder.store import Store, write

FOLDER = "search"
ENDED = "ended.json"


@dataclass(frozen=True)
class Point:
    """A point of a search, as it was asked."""

    number: int
    draw: int  # number of the sampler's suggestion
    values: dict[str, Any]  # field -> value, in JSON form
    trials: tuple[Trial, ...]  # one for each repeated measure
    label: str  # of the batch whose job asked
    job: int  # index of that job
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])  # the sampler's own


class Points:
    """The points in a sweep's folder; each file is read once."""

    def __init__(self, store: Store) -> None:
        self.store, self.folder = store, store.folder / FOLDER
        self.damaged: list[DamagedError] = []
        self._read: list[Point | None] = []  # None for a damaged file

    def every(self) -> list[Point]:
        """Return all readable points in order; `count` includes the damaged ones."""
        while (point := self._next()) is not False:
            self._read.append(point)
        return [each for each in self._read if each is not None]

    @property
    def count(self) -> int:
        """The number of points that were asked, as of the last call of `every`."""
        return len(self._read)

    def of_job(self, label: str, job: int | None) -> list[Trial]:
        """Return the trials that a job asked; None: any job of the batch."""
        return [
            trial for each in self.every() if each.label == label and job in (None, each.job) for trial in each.trials
        ]

    def add(self, point: Point) -> None:
        """Record a point that is about to be begun; the folder must be locked."""
        assert point.number == self.count
        write(self.path(point.number), json.dumps(asdict(point)) + "\n")
        self._read.append(point)

    def path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the search for the time of an ask; the kernel releases the lock with the process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def ended(self) -> str | None:
        """Return why a search ended before all of its points were asked; None if it did not."""
        path = self.folder / ENDED
        try:
            text = content(path)
            told = None if text is None else parsed(text, path)
        except DamagedError as why:
            return str(why)
        return told.get("reason") if isinstance(told, dict) else None

    def set_ended(self, reason: str | None) -> None:
        """Record why a search ended early; None: it goes on."""
        if reason is not None:
            write(self.folder / ENDED, json.dumps({"reason": reason}) + "\n")
        else:
            (self.folder / ENDED).unlink(missing_ok=True)

    def _next(self) -> Point | bool | None:
        """Read the next file: None if it is damaged, False if there is none."""
        path = self.path(self.count)
        try:
            text = content(path)
            return False if text is None else _point(parsed(text, path), path)
        except DamagedError as why:
            self.damaged.append(why)
            return None


def _point(told: Any, path: Path) -> Point:
    """Build a point from its file. Raises DamagedError."""
    point = built(Point, {**told, "trials": []} if isinstance(told, dict) else told, path)
    several = told.get("trials")
    if not isinstance(several, list) or not several:
        raise DamagedError(path, "it holds no trials")
    return replace(point, trials=tuple(built(Trial, each, path) for each in several))
