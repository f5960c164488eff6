"""How the trials of a search ended, and what a sampler is told of their points."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cn.run_folder.progress import summary
from cn.sweeping.folder.batches import Trial
from cn.sweeping.folder.points import Owner
from cn.sweeping.folder.store import REPORT, Store
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.goal import Goal
from cn.sweeping.search.past import Past, PointState


@dataclass(frozen=True)
class End:
    """What is known of a trial."""

    state: TrialStatus | None = None  # None: it has not begun
    values: tuple[float, ...] | None = None  # of each goal
    step: int | None = None  # at which it was pruned
    label: str = ""  # of its batch
    excess: dict[str, float] = field(default_factory=dict[str, float])  # limit -> by which part of it it is exceeded


def done(ends: Iterable[End]) -> list[End]:
    """Return those that came to a value of each goal."""
    return [each for each in ends if each.state == TrialStatus.DONE and each.values is not None]


def mean_excess(done: Sequence[End]) -> dict[str, float]:
    """Return by which part of its bound the mean over trials is beyond each limit."""
    return {name: statistics.fmean(each.excess[name] for each in done) for name in (done[0].excess if done else ())}


class Ends:
    """Remembers the ends of trials, so that each file is read once."""

    def __init__(self, store: Store, goal: Goal) -> None:
        self.store, self.goal = store, goal
        self.owners: Mapping[str, Owner] = {}  # of the trials of points, which say whether a pruned one goes on
        self.known: dict[str, tuple[tuple[int, int], End]] = {}  # id of a trial -> state of its file, and its end
        self.over: set[str] = set()  # trials that only a further submission can change
        self.recorded: dict[str, Any] = {}  # what done trials have in their summaries, all together

    def past(self, values: dict[str, Any], trials: Sequence[Trial]) -> Past:
        """Return what is known of a point: the mean of its trials if all came to a value, or the value of its first
        pruned one.
        """
        ends = [self.of(each) for each in trials]
        if any(each.state is None or each.state.is_alive for each in ends):
            return Past(values)
        pruned = [each for each in ends if each.state == TrialStatus.PRUNED]
        if pruned and pruned[0].values is not None:
            return Past(values, PointState.PRUNED, pruned[0].values[0], pruned[0].step, excess=pruned[0].excess)
        found = done(ends)
        if not found or len(found) < len(ends):  # the mean would be of the seeds that went well
            return Past(values, PointState.FAILED)
        columns = zip(*(each.values or () for each in found), strict=True)
        first, *others = map(statistics.fmean, columns)
        return Past(values, PointState.DONE, first, others=tuple(others), excess=mean_excess(found))

    def of(self, trial: Trial) -> End:
        """Return how a trial ended; a pruned one that goes on has not."""
        end, owner = self._read(trial), self.owners.get(trial.id)
        goes_on = owner is not None and end.step is not None and end.step <= owner.until
        return End(TrialStatus.WAITING) if goes_on else end

    def _read(self, trial: Trial) -> End:
        """Read how a trial ended, unless its file is unchanged since it was read."""
        if trial.id in self.over:
            return self.known[trial.id][1]
        try:
            found = (self.store.at(trial) / REPORT).stat()
        except OSError:
            return End()
        stamp = found.st_mtime_ns, found.st_ino
        known = self.known.get(trial.id)
        if known is not None and known[0] == stamp:
            return known[1]
        report = self.store.known_report(trial)
        if report is None:
            return End()
        end = End(report.state)
        unsaid = self.store.is_done_unsaid(trial, report)  # its supervisor was killed
        if unsaid or report.state == TrialStatus.DONE:
            told = summary(self.store.at(trial))  # {} if its file is damaged
            recorded = dict(told)
            if report.value is not None:
                recorded["score"] = report.value
            if told:
                self.recorded |= recorded
            end = End(TrialStatus.DONE, self.goal.values(recorded), excess=self.goal.excess(recorded))
        elif report.state == TrialStatus.PRUNED:
            values = (report.value,) if isinstance(report.value, (int, float)) else None
            excess = self.goal.excess(summary(self.store.at(trial)))
            end = End(report.state, values, report.step, report.label, excess)
        elif report.state.is_alive:
            return end  # its run may end without a new report
        self.known[trial.id] = stamp, end
        if end.state in (TrialStatus.DONE, TrialStatus.FAILED):
            self.over.add(trial.id)
        return end

    def forget(self) -> None:
        """Look at the files of all trials again: a further submission may have begun some of them anew."""
        self.over.clear()
