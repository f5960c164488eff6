"""An ask: under the search's lock, tell the sampler what is known, draw a point, compose it, and write its file."""

from __future__ import annotations

import dataclasses
import statistics
from dataclasses import dataclass
from typing import Any

from cn.run_folder.progress import summary
from cn.sweeping.folder.batches import Batch, Trial
from cn.sweeping.folder.points import Owner, Point, Points
from cn.sweeping.folder.store import REPORT, Store
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.goal import Goal
from cn.sweeping.job.reporter import promoted
from cn.sweeping.planning.plan import Composer, Planned
from cn.sweeping.prune import Prune
from cn.sweeping.search.past import Past, PointState
from cn.sweeping.space import Space
from cn.sweeping.sweep import Sweep
from cn.writing.record import unplain

TRIES = 20  # suggestions in a row that are known already, or that keep() leaves out, before the search ends


class EndError(Exception):
    """The search ends before all of its points are asked."""


@dataclass(frozen=True)
class End:
    """What is known of a trial."""

    state: TrialStatus | None = None  # None: it has not begun
    value: float | None = None
    step: int | None = None  # at which it was pruned
    label: str = ""  # of its batch


class Asker:
    """Asks points for one job. It remembers the points and the ends of trials, so that an ask reads what is new."""

    def __init__(self, store: Store, batch: Batch, job: int) -> None:
        assert batch.search is not None
        assert batch.goal is not None
        sweep, goal = unplain(batch.search), unplain(batch.goal)
        assert isinstance(sweep, Sweep)
        assert isinstance(goal, Goal)
        assert isinstance(sweep.axes, Space)
        assert sweep.search is not None
        self.store, self.label, self.job, self.goal = store, batch.label, job, goal
        self.search, self.space, self.composer = sweep.search, sweep.axes, Composer(sweep)
        self.points = Points(store)
        self.rows: dict[str, dict[str, Trial]] = {}  # label of a batch -> its trials by id
        self.ends: dict[str, tuple[tuple[int, int], End]] = {}  # id of a trial -> state of its file, and its end
        self.owners: dict[str, Owner] = {}
        self.prune = sweep.prune
        self.search.begin()

    def ask(self) -> int | str | None:
        """Write a further point and return its number; None if all points are asked.

        Before that, a pruned trial that is to go on: write that, and return its id.

        Raises EndError if no new point is found, and CNError if a point cannot be composed.
        """
        with self.points.locked():
            points, self.owners = self.points.every(), self.points.owners()
            if (trial := self._promoted()) is not None:
                return trial
            if self.points.count >= self.search.trials:
                return None
            known = self._known(points)
            past = [self._past(each) for each in points]
            first = 1 + max((each.draw for each in points), default=-1)
            for draw in range(first, first + TRIES):
                told = self.search.suggest(self.space, past, draw, maximize=self.goal.direction == "maximize")
                planned = self._composed(told.values)
                fresh = [each.trial for each in planned if each.trial.id not in known]
                if fresh:
                    number = self.points.count
                    self.points.add(
                        Point(number, draw, told.values, tuple(fresh), self.label, self.job, told.attributes)
                    )
                    return number
                past.append(self._known_past(told.values, [known[each.trial.id] for each in planned]))
            what = f"{TRIES} suggestions in a row were points that are known already, or that keep() leaves out"
            raise EndError(f"{what}: {len(points)} of {self.search.trials} points are asked")

    def _promoted(self) -> str | None:
        """Record that a pruned trial goes on, and return its id; None if none does."""
        if self.prune is None or type(self.prune).promotes is Prune.promotes:
            return None
        ends = {name: self._end(owner.trial) for name, owner in self.owners.items()}
        self._read_rows()
        pruned = {
            name: end.step
            for name, end in ends.items()
            if end.state == TrialStatus.PRUNED and end.step is not None and not self._is_queued(name, end.label)
        }
        trials = (owner.trial for owner in self.owners.values())
        name = promoted(self.store, self.prune, self.goal, trials, list(pruned))
        if name is not None:
            self.points.promote(name, pruned[name], self.label, self.job)
        return name

    def _is_queued(self, name: str, label: str) -> bool:
        """Return whether a batch after this one goes on with the trial."""
        return any(name in rows for later, rows in self.rows.items() if later > label)

    def _composed(self, values: dict[str, Any]) -> list[Planned]:
        """Return the trials of a point, one for each repeated measure that is not left out."""
        measures = self.space.points
        found: dict[str, Planned] = {}
        for place, measure in enumerate(measures):
            each = self.composer.composed({**values, **measure}, found, place=self.points.count * len(measures) + place)
            if each is not None:
                found[each.trial.id] = each
        return list(found.values())

    def _known(self, points: list[Point]) -> dict[str, Trial]:
        """Return all trials that were submitted or asked."""
        self._read_rows()
        known = {name: trial for rows in self.rows.values() for name, trial in rows.items()}
        return known | {trial.id: trial for each in points for trial in each.trials}

    def _read_rows(self) -> None:
        """Read the rows of batches that are new."""
        for label in self.store.labels():
            if label not in self.rows:
                rows = self.store.salvaged(label).rows
                self.rows[label] = {trial.id: trial for row in rows for trial in row or ()}

    def _past(self, point: Point) -> Past:
        past = self._known_past(point.values, list(point.trials))
        return dataclasses.replace(past, attributes=point.attributes)

    def _known_past(self, values: dict[str, Any], trials: list[Trial]) -> Past:
        """Return what is known of a point: the mean of its done trials, or the value of its first pruned one."""
        ends = [self._end(each) for each in trials]
        if any(each.state is None or each.state.is_alive for each in ends):
            return Past(values)
        pruned = [each for each in ends if each.state == TrialStatus.PRUNED]
        if pruned and pruned[0].value is not None:
            return Past(values, PointState.PRUNED, pruned[0].value, pruned[0].step)
        done = [each.value for each in ends if each.state == TrialStatus.DONE and each.value is not None]
        return Past(values, PointState.DONE, statistics.fmean(done)) if done else Past(values, PointState.FAILED)

    def _end(self, trial: Trial) -> End:
        """Return how a trial ended; a pruned one that goes on has not."""
        end, owner = self._read_end(trial), self.owners.get(trial.id)
        goes_on = owner is not None and end.step is not None and end.step <= owner.until
        return End(TrialStatus.WAITING) if goes_on else end

    def _read_end(self, trial: Trial) -> End:
        """Read how a trial ended, unless its file is unchanged since it was read."""
        try:
            found = (self.store.at(trial) / REPORT).stat()
        except OSError:
            return End()
        stamp = found.st_mtime_ns, found.st_ino
        known = self.ends.get(trial.id)
        if known is not None and known[0] == stamp:
            return known[1]
        report = self.store.known_report(trial)
        if report is None:
            return End()
        end = End(report.state)
        unsaid = self.store.is_done_unsaid(trial, report)  # its supervisor was killed
        if unsaid or report.state == TrialStatus.DONE:
            recorded = summary(self.store.at(trial))
            if report.value is not None:
                recorded["score"] = report.value
            end = End(TrialStatus.DONE, self.goal.of(recorded))
        elif report.state == TrialStatus.PRUNED:
            end = End(report.state, report.value, report.step, report.label)
        elif report.state.is_alive:
            return end  # its run may end without a new report
        self.ends[trial.id] = stamp, end
        return end
