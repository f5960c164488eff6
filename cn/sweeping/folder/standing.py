"""The states of all trials of a sweep, and of their batches; `look` reads them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cn.errors import UserError, hint
from cn.launching.queue import Job
from cn.run_folder.state_files import DamagedError
from cn.sweeping.folder.batches import Batch, Trial
from cn.sweeping.folder.identity import Identity
from cn.sweeping.folder.points import Point
from cn.sweeping.folder.stop import Stop
from cn.sweeping.folder.store import Report, Store
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.project import verbs


@dataclass
class Standing:
    """The state of one trial, in the last batch that it was submitted in."""

    trial: Trial
    state: TrialStatus
    label: str
    job: int  # index of the job in the batch
    code: str
    report: Report | None = None
    reason: str | None = None
    damaged: DamagedError | None = None  # the trial's own file
    until: int = -1  # the step at which a search last promoted it: if it was pruned by then, it is to go on


@dataclass
class Sweeping:
    """The states of all submitted trials by id, and of their batches."""

    identity: Identity
    trials: dict[str, Standing] = field(default_factory=dict[str, Standing])
    batches: dict[str, Batch] = field(default_factory=dict[str, Batch])
    unsubmitted: list[str] = field(default_factory=list[str])  # batches without a known job number
    live: set[str] = field(default_factory=set[str])  # batches with live jobs
    original: list[Job] = field(default_factory=list[Job])  # live jobs of the folder that this one is a copy of
    unknown: list[str] = field(default_factory=list[str])  # job numbers with its name that no file records
    silent: str | None = None  # why the queue did not answer
    damaged: list[DamagedError] = field(default_factory=list[DamagedError])  # shared files, not a single trial's
    torn: set[str] = field(default_factory=set[str])  # batches with unreadable jobs
    headless: bool = False  # whether a batch's first line is unreadable, and so its launch
    stop: Stop | None = None
    points: list[Point] = field(default_factory=list[Point])  # that a search has asked
    spent: int = 0  # of the search's budget: the number of files of points
    ended: str | None = None  # why a search ended before all of its points were asked

    @property
    def searches(self) -> bool:
        """Whether workers of a search are in the queue, so that further points may come."""
        return any(self.batches[label].search is not None for label in self.live if label in self.batches)

    @property
    def searched(self) -> bool:
        """Whether a search has asked points, has workers that may ask, or has ended."""
        return bool(self.spent or self.searches or self.ended)

    def of_queues(self, store: Store) -> list[Batch]:
        """Return batches that cover every kind of queue that may have a job of the sweep."""
        return [*self.batches.values(), *store.withdrawn()]

    def one(self, word: str, sweep: str) -> Standing:
        """Return the trial whose id begins with a word; UserError if none or several do."""
        fitting = [each for identity, each in self.trials.items() if identity.startswith(word)]
        if len(fitting) == 1:
            return fitting[0]
        what = f"{len(fitting)} trials of {sweep} begin with {word!r}"
        if not fitting:
            what = f"no trial of {sweep} is called {word!r}"
        raise UserError(what, hint(word, self.trials), f"see: {verbs()} status {sweep}")


def far(found: Sweeping, points: int | None) -> str:
    """Return how many of the points of a search are asked, if it is known of how many, and why no more are."""
    text = f"{found.spent}{'' if points is None else f' of {max(found.spent, points)}'} points are asked"
    if invalid := [each.reason for each in found.points if each.reason is not None]:
        text += f", {len(invalid)} of them invalid: {invalid[-1]}"
    return text + (f"; the search ended: {found.ended}" if found.ended is not None else "")


def ended_so(states: Iterable[TrialStatus]) -> str:
    """Return `what failed or was cancelled`, for the states that ended without a result."""
    ended = [each for each in TrialStatus if each.may_run_again and each in states]
    told = ["failed" if each == TrialStatus.FAILED else f"was {each}" for each in ended]
    return f"what {' or '.join(told)}"
