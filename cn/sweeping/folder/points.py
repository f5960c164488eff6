"""The points that a search has asked: search/000012.json in the sweep's folder, written before a trial of it begins.

The number of these files is the part of the search's budget that is spent. Beside them,

search/promoted-000003.json   says that a pruned trial goes on
search/further-000003.json    says that a point is measured with further seeds
search/start.json             holds the points of other searches that the sampler is told first
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from cn.run_folder.state_files import DamagedError, built, content, parsed
from cn.sweeping.folder.batches import Trial
from cn.sweeping.folder.numbered import Numbered
from cn.sweeping.folder.store import Store, write
from cn.sweeping.search.past import Past

FOLDER = "search"
ENDED = "ended.json"
START = "start.json"
T = TypeVar("T", "Point", "Further")
GIVEN = -1  # the draw of a point that no sampler suggested


@dataclass(frozen=True)
class Point:
    """A point of a search, as it was asked."""

    number: int
    draw: int  # number of the sampler's suggestion, or GIVEN
    values: dict[str, Any]  # field -> value, in JSON form
    trials: tuple[Trial, ...]  # one for each repeated measure; none if its file was damaged, or it is invalid
    label: str  # of the batch whose job asked
    job: int  # index of that job
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])  # the sampler's own
    reason: str | None = None  # why it is invalid: no run can be composed of it


@dataclass(frozen=True)
class Promotion:
    """A pruned trial that goes on."""

    number: int
    trial: str
    step: int  # at which it was pruned; up to it, it is not pruned again
    label: str  # of the batch whose job goes on with it
    job: int


@dataclass(frozen=True)
class Further:
    """Further measures of a point, which a race did not leave out."""

    number: int
    point: int  # number of the point
    trials: tuple[Trial, ...]  # none if there were none left to run
    label: str  # of the batch whose job runs them
    job: int


class Owner(NamedTuple):
    """The job that runs a trial of a point."""

    trial: Trial
    label: str
    job: int
    until: int = -1  # the step of its last promotion


class Points:
    """The points in a sweep's folder; each file is read once."""

    def __init__(self, store: Store) -> None:
        self.store, self.folder = store, store.folder / FOLDER
        self._points = Numbered(
            self.folder, "", _with_trials(Point), lambda number: Point(number, GIVEN, {}, (), "", 0)
        )
        self._promoted = Numbered(self.folder, "promoted-", _promotion, lambda number: Promotion(number, "", -1, "", 0))
        self._further = Numbered(
            self.folder, "further-", _with_trials(Further), lambda number: Further(number, -1, (), "", 0)
        )

    @property
    def damaged(self) -> list[DamagedError]:
        """The errors of the files that could not be read."""
        return [*self._points.damaged, *self._promoted.damaged, *self._further.damaged]

    def every(self) -> list[Point]:
        """Return all readable points in order; `count` includes the damaged ones."""
        more: dict[int, tuple[Trial, ...]] = {}
        for each in self._further.every():
            more[each.point] = more.get(each.point, ()) + each.trials
        found = self._points.every()
        return [replace(each, trials=each.trials + more.get(each.number, ())) for each in found] if more else found

    def settled(self) -> set[int]:
        """Return the numbers of the points that are measured further."""
        return {each.point for each in self._further.every()}

    def owners(self) -> dict[str, Owner]:
        """Return the owner of each trial by its id: the job that asked for it, or the last that resumed it."""
        found = {trial.id: Owner(trial, each.label, each.job) for each in self.every() for trial in each.trials}
        found |= {
            trial.id: Owner(trial, each.label, each.job) for each in self._further.every() for trial in each.trials
        }
        for each in self._promoted.every():
            if each.trial in found:
                found[each.trial] = Owner(found[each.trial].trial, each.label, each.job, each.step)
        return found

    def promote(self, trial: str, step: int, label: str, job: int) -> None:
        """Record that a job goes on with a pruned trial; the folder must be locked, after `owners`."""
        self._promoted.add(Promotion(len(self._promoted.known), trial, step, label, job))

    def measure(self, point: int, trials: tuple[Trial, ...], label: str, job: int) -> None:
        """Record that a job runs further trials of a point; the folder must be locked, after `every`."""
        self._further.add(Further(len(self._further.known), point, trials, label, job))

    @property
    def files(self) -> int:
        """The number of files of points, promotions and further measures, as of the last call of `owners`."""
        return len(self._points.known) + len(self._promoted.known) + len(self._further.known)

    @property
    def count(self) -> int:
        """The number of points that were asked, as of the last call of `every`."""
        return len(self._points.known)

    def mend(self) -> None:
        """Set damaged files aside, and replace each with an empty one, so that it still counts against the budget.

        The search must be locked.
        """
        self._points.mend()
        self._promoted.mend()
        self._further.mend()

    def of_job(self, label: str, job: int | None) -> list[Trial]:
        """Return the trials that a job asked or goes on with; None: any job of the batch."""
        return [each.trial for each in self.owners().values() if each.label == label and job in (None, each.job)]

    def add(self, point: Point) -> None:
        """Record a point that is about to be begun; the folder must be locked."""
        assert point.number == self.count
        self._points.add(point)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the search for the time of an ask; the kernel releases the lock with the process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def start(self) -> list[Past]:
        """Return the points of other searches that are told first. Raises DamagedError."""
        path = self.folder / START
        text = content(path)
        told = {"points": []} if text is None else parsed(text, path)
        several = told.get("points") if isinstance(told, dict) else None
        if not isinstance(several, list):
            raise DamagedError(path, "it holds no points")
        return [built(Past, each, path) for each in several]

    def set_start(self, points: list[Past]) -> None:
        """Record the points of other searches that are told first."""
        if points or (self.folder / START).exists():
            write(self.folder / START, json.dumps({"points": [asdict(each) for each in points]}) + "\n")

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


def _promotion(told: Any, path: Path) -> Promotion:
    return built(Promotion, told, path)


def _with_trials(kind: type[T]) -> Callable[[Any, Path], T]:
    """Return a function that builds what a file with trials holds. It raises DamagedError."""

    def build(told: Any, path: Path) -> T:
        one = built(kind, {**told, "trials": []} if isinstance(told, dict) else told, path)
        several = told.get("trials")
        if not isinstance(several, list):
            raise DamagedError(path, "it holds no trials")
        return replace(one, trials=tuple(built(Trial, each, path) for each in several))

    return build
