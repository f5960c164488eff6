"""What a submission of a search queues: workers that ask for points, and trials that killed workers left."""

from __future__ import annotations

from dataclasses import dataclass

from cn.errors import CNError, UserError
from cn.sweeping.folder.batches import Batch
from cn.sweeping.folder.points import Points
from cn.sweeping.folder.standing import Standing, Sweeping
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.job.ask import INVALID
from cn.sweeping.job.ends import Ends
from cn.sweeping.job.racing import further, lacking
from cn.sweeping.job.reporter import promoted
from cn.sweeping.planning.named import Named
from cn.sweeping.planning.plan import Composer, Planned
from cn.sweeping.search import Search
from cn.sweeping.search_space import Space
from cn.sweeping.submitting.start import Start, start_of
from cn.sweeping.submitting.submission import Workers
from cn.sweeping.sweep import Sweep


@dataclass(frozen=True)
class Wanted:
    """What is left to do."""

    rows: list[Planned]  # trials that were asked and have no end, and no job
    left: int  # points to ask or to measure further, or pruned trials that may go on, which no live worker does
    points: int  # in all
    workers: Workers | None  # None: there is nothing to do, or live workers do it
    start: Start  # what the workers are told of other searches


def wanted(named: Named, found: Sweeping) -> Wanted:
    """Return what a submission queues. UserError if a package is missing, or the space does not fit the base."""
    sweep = named.sweep
    assert sweep is not None
    assert sweep.search is not None
    assert isinstance(sweep.axes, Space)
    sweep.search.begin()
    _refuse_unfit(sweep, sweep.search, sweep.axes)
    asked = {trial.id for each in found.points for trial in each.trials}
    rows = [
        Planned(each.trial, sweep.launch) for name, each in found.trials.items() if name in asked and _is_left(each)
    ]
    points = sweep.search.trials
    live = [found.batches[label] for label in found.live if label in found.batches]
    searched = any(_points(each) >= points for each in live)
    left = 0 if searched else max(0, points - found.spent)
    if not searched and not left and sweep.prune is not None:
        known = {name: each for name, each in found.trials.items() if name in asked}
        pruned = [name for name, each in known.items() if each.state == TrialStatus.PRUNED]
        trials = (each.trial for each in known.values())
        if promoted(named.store, sweep.prune, named.goal, trials, pruned) is not None:
            left = len(pruned)  # at most so many go on
    if not searched and not left and sweep.search.race is not None:
        ends, every = Ends(named.store, named.goal), Points(named.store)
        ends.owners, settled = every.owners(), every.settled()
        measures = len(sweep.axes.points)
        left = len(further(every.every(), settled, ends, race=sweep.search.race, measures=measures))
    if not searched and not left and sweep.search.race is None:
        left = _lacking(sweep, sweep.axes, found)
    if not rows and not left:
        return Wanted(rows, left, points, None, Start([], []))
    queue = sweep.launch.build()
    jobs = -(-(len(rows) + left) // max(1, queue.pack))
    workers = Workers(sweep, jobs if queue.parallel is None else min(jobs, queue.parallel))
    return Wanted(rows, left, points, workers, start_of(named))


def given(found: Sweeping, search: Search, more: Wanted) -> str | None:
    """Return what becomes of the given points that were not asked yet; None if there are none."""
    asked = [each.values for each in found.points]
    count = sum(each not in asked for each in search.first)
    if not count:
        return None
    what = "1 given point is" if count == 1 else f"{count} given points are"
    if more.workers is None and found.searches:
        return f"{what} not known to the workers that search: submit again when they have ended"
    room = max(0, search.trials - found.spent)
    if room < count:
        return f"{what} left, and search.trials leaves room for {room}: write search.trials={found.spent + count}"
    return f"{what} asked first"


def _refuse_unfit(sweep: Sweep, search: Search, space: Space) -> None:
    """Refuse a given point of which no run can be composed, and a space of which the first draws are all so."""
    composer = Composer(sweep)
    for number, values in enumerate(search.first):
        if all(composer.composed({**values, **measure}, place=0) is None for measure in space.points):
            raise UserError(f"search.first[{number}] is a point that {type(sweep).__name__}.keep() leaves out")
    errors: list[CNError] = []
    for number in range(INVALID):
        try:
            for measure in space.points:
                composer.composed({**space.draw(number, search.seed), **measure}, place=0)
        except CNError as error:
            errors.append(error)
        else:
            return
    raise errors[0]


def _lacking(sweep: Sweep, space: Space, found: Sweeping) -> int:
    """Return how many points have seeds that an earlier race left out."""
    composer, count = Composer(sweep), 0
    for each in lacking(found.points, len(space.points)):
        planned = [composer.composed({**each.values, **measure}, place=0) for measure in space.points]
        ids = {one.trial.id for one in planned if one is not None}
        count += ids >= {trial.id for trial in each.trials} and not ids <= found.trials.keys()
    return count


def _is_left(each: Standing) -> bool:
    """Return whether a trial was lost with its worker or cancelled, so that it has no end of its own."""
    lost = each.state == TrialStatus.FAILED and (each.report is None or each.report.state.is_alive)
    return lost or each.state == TrialStatus.CANCELLED


def _points(batch: Batch) -> int:
    """Return how many points the workers of a batch ask for in all."""
    search = (batch.search or {}).get("search") or {}
    return search.get("trials", 0)
