"""An ask: under the search's lock, tell the sampler what is known, draw a point, compose it, and write its file."""

from __future__ import annotations

import dataclasses
from itertools import takewhile
from typing import Any

from cn.errors import CNError, short
from cn.sweeping.folder.batches import Batch, Trial
from cn.sweeping.folder.points import GIVEN, Point, Points
from cn.sweeping.folder.store import Store
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.goal import Goal
from cn.sweeping.job.ends import Ends
from cn.sweeping.job.racing import further, lacking
from cn.sweeping.job.reporter import promoted
from cn.sweeping.planning.plan import Composer, Planned
from cn.sweeping.prune import Prune
from cn.sweeping.search.past import Past, PointState, Suggestion
from cn.sweeping.search_space import Space
from cn.sweeping.sweep import Sweep
from cn.writing.record import unplain

TRIES = 20  # suggestions in a row that are known already, before the search ends
LEFT_OUT = 1000  # points in a row that keep() leaves out, before the search ends; after TRIES, they are drawn at random
INVALID = 5  # points in a row of which no run can be composed, before the search ends


class EndError(Exception):
    """The search ends before all of its points are asked."""


class Asker:
    """Asks points for one job. It remembers the points and the ends of trials, so that an ask reads what is new."""

    def __init__(self, store: Store, batch: Batch, job: int) -> None:
        assert batch.search is not None
        assert batch.goal is not None
        sweep, goal = unplain(batch.search, types=(Sweep,)), unplain(batch.goal)
        assert isinstance(sweep, Sweep)
        assert isinstance(goal, Goal)
        assert isinstance(sweep.axes, Space)
        assert sweep.search is not None
        self.store, self.label, self.job, self.goal = store, batch.label, job, goal
        self.search, self.space, self.composer = sweep.search, sweep.axes, Composer(sweep)
        self.points, self.ends = Points(store), Ends(store, goal)
        self.pasts: dict[tuple[int, int], Past] = {}  # number of a point, and of its trials, which are all over
        self.rows: dict[str, dict[str, Trial]] = {}  # label of a batch -> its trials by id
        self.whole = set[int]()  # numbers of points that have all of their trials, though fewer than there are measures
        self.left_out = 0  # points in a row that keep() left out
        self.prune, self.start = sweep.prune, self.points.start()
        self.search.begin()

    def ask(self) -> int | list[str] | None:
        """Write a further point and return its number; None if all points are asked.

        Before that, a pruned trial that is to go on, or the further seeds of a point: write that, and return the ids.

        Raises EndError if no new point is found, if several in a row are invalid, or if no trial that is done has
        recorded what the goal names.
        """
        with self.points.locked():
            points, self.ends.owners = self.points.every(), self.points.owners()
            if (trial := self._promoted()) is not None:
                return [trial]
            known = self._known(points)
            for each in points:
                self._past(each)
            if (why := self.goal.unrecorded(self.ends.recorded)) is not None:
                raise EndError(why)
            if further := self._further(points, known):
                return further
            asked = [each.values for each in points]
            for values in [each for each in self.search.first if each not in asked]:
                if self._is_spent:
                    return None
                if self._begun(Suggestion(values), GIVEN, known) is None:
                    return self.points.count - 1
            past = [*self.start, *(self._past(each) for each in self.points.every())]
            first = 1 + max((each.draw for each in points), default=GIVEN)
            tried, self.left_out = 0, 0
            while tried - self.left_out < TRIES and self.left_out < LEFT_OUT:
                if self._is_spent:
                    return None
                draw = first + tried
                drawn = Suggestion(self.space.draw(draw, self.search.seed)) if tried >= TRIES else None
                before = self._begun(drawn or self._suggested(past, draw), draw, known)
                if before is None:
                    return self.points.count - 1
                past.append(before)
                tried += 1
            what = f"{tried} suggestions in a row were points that are known already, or that keep() leaves out"
            raise EndError(f"{what}: {len(points)} of {self.search.trials} points are asked")

    @property
    def _is_spent(self) -> bool:
        return self.points.count >= self.search.trials

    def _suggested(self, past: list[Past], draw: int) -> Suggestion:
        maximize = [each.direction == "maximize" for each in self.goal.each()]
        if len(maximize) > 1:
            return self.search.suggest_several(self.space, past, draw, maximize=maximize)
        return self.search.suggest(self.space, past, draw, maximize=maximize[0])

    def _begun(self, told: Suggestion, draw: int, known: dict[str, Trial]) -> Past | None:
        """Write a point that is to be run; return what is known of it instead if it was run before, or is invalid.

        An invalid point is written too, with the reason. Raises EndError after several invalid points in a row.
        """
        number, reason, fresh = self.points.count, None, list[Trial]()
        try:
            planned = self._composed(told.values, number)
            fresh = [each.trial for each in planned if each.trial.id not in known]
            fresh = fresh if self.search.race is None else fresh[:1]
            if not fresh:
                self.left_out += not planned
                return self.ends.past(told.values, [known[each.trial.id] for each in planned])
        except CNError as error:
            reason = short(str(error).partition("\n")[0])
        self.points.add(Point(number, draw, told.values, tuple(fresh), self.label, self.job, told.attributes, reason))
        if reason is None:
            return None
        invalid = list(takewhile(lambda each: each.reason is not None, reversed(self.points.every())))
        if len(invalid) >= INVALID:
            raise EndError(f"{len(invalid)} points in a row are invalid: {reason}")
        return Past(told.values, PointState.FAILED)

    def _promoted(self) -> str | None:
        """Record that a pruned trial goes on, and return its id; None if none does."""
        if self.prune is None or type(self.prune).promotes is Prune.promotes:
            return None
        owners = self.ends.owners
        ends = {name: self.ends.of(owner.trial) for name, owner in owners.items()}
        self._read_rows()
        pruned = {
            name: end.step
            for name, end in ends.items()
            if end.state == TrialStatus.PRUNED and end.step is not None and not self._is_queued(name, end.label)
        }
        trials = (owner.trial for owner in owners.values())
        name = promoted(self.store, self.prune, self.goal, trials, list(pruned))
        if name is not None:
            self.points.promote(name, pruned[name], self.label, self.job)
        return name

    def _further(self, points: list[Point], known: dict[str, Trial]) -> list[str]:
        """Record that a point is measured with its further seeds, and return the ids of these trials.

        Without a race, these are the seeds that an earlier one left out.
        """
        race, measures = self.search.race, len(self.space.points)
        if race is None:
            several = [each for each in lacking(points, measures) if each.number not in self.whole]
        else:
            several = further(points, self.points.settled(), self.ends, race=race, measures=measures)
        for each in several:
            planned = {one.trial.id: one.trial for one in self._composed(each.values, each.number)}
            changed = any(trial.id not in planned for trial in each.trials)  # since the point was asked
            fresh = () if changed else tuple(trial for name, trial in planned.items() if name not in known)
            self.whole.add(each.number)
            if fresh or race is not None:
                self.points.measure(each.number, fresh, self.label, self.job)
            if fresh:
                return [trial.id for trial in fresh]
        return []

    def _is_queued(self, name: str, label: str) -> bool:
        """Return whether a batch after this one goes on with the trial."""
        return any(name in rows for later, rows in self.rows.items() if later > label)

    def _composed(self, values: dict[str, Any], number: int) -> list[Planned]:
        """Return the trials of a point, one for each repeated measure that is not left out."""
        measures = self.space.points
        found: dict[str, Planned] = {}
        for place, measure in enumerate(measures):
            each = self.composer.composed({**values, **measure}, found, place=number * len(measures) + place)
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
                self.ends.forget()
                self.pasts.clear()
                rows = self.store.salvaged(label).rows
                self.rows[label] = {trial.id: trial for row in rows for trial in row or ()}

    def _past(self, point: Point) -> Past:
        """Return what a sampler is told of a point. What cannot change any more is worked out once."""
        place = point.number, len(point.trials)  # a race adds trials
        if place in self.pasts:
            return self.pasts[place]
        found = self.ends.past(point.values, point.trials)
        past = dataclasses.replace(found, attributes=point.attributes)
        if all(each.id in self.ends.over for each in point.trials):
            self.pasts[place] = past
        return past
