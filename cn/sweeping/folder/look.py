"""Look at a sweep: its trials' own files say how each stands; the queue is queried once about unfinished ones."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from cn.errors import CNError, RunError, short
from cn.launching.queue import Job, Queue
from cn.run_folder.state_files import DamagedError
from cn.sweeping.folder.batches import Batch, Trial
from cn.sweeping.folder.identity import identity, is_known
from cn.sweeping.folder.points import Owner, Points
from cn.sweeping.folder.queues import lister, of_each, of_original, queue_of
from cn.sweeping.folder.standing import Standing, Sweeping
from cn.sweeping.folder.stop import Stop, stopped
from cn.sweeping.folder.store import Report, Store
from cn.sweeping.folder.trial_status import TrialStatus

ORDINARY = ("", "None", "Priority", "Resources", "Dependency", "BeginTime", "JobArrayTaskLimit")  # of pending jobs


def look(store: Store, *, tolerant: bool = True, unknown: bool = False) -> Sweeping:
    """Read all files, then query the queue about open questions; RunError if it does not answer.

    tolerant: if the queue does not answer, return the state in the files.
    unknown: query the queue in any case, for jobs that no file records.
    """
    points = Points(store)
    while True:
        found = _files(store, points)
        open_ones = [each for each in found.trials.values() if each.state.is_alive]
        unknown = unknown and is_known(store)
        if not (open_ones or found.unsubmitted or found.torn or unknown):
            return found
        read = points.files
        try:
            _ask(store, found, open_ones, unknown=unknown)
        except RunError as error:
            if not tolerant:
                raise
            found.silent = str(error)
            return found
        points.owners()
        if found.searches or points.files == read:
            return found
        # the last worker of a search has asked for more since, and ended before the queue was queried: look again


def _files(store: Store, points: Points) -> Sweeping:
    """Return the state in the files, before any queue is queried."""
    found = Sweeping(identity(store))
    found.points = points.every()
    found.spent, found.ended = points.count, points.ended()
    labels = store.labels()
    owners = points.owners().values()
    found.damaged += points.damaged
    for owner in owners:
        if owner.label not in labels:  # its batch is lost or was withdrawn
            _add_owned(found, owner)
    for label in labels:
        _add(store, found, label)
        for owner in owners:
            if owner.label == label:
                _add_owned(found, owner)
    for label in sorted(store.gone()):
        found.torn.add(label)
        found.headless = True
        found.damaged.append(DamagedError(store.file(label), "it is not there"))
    _add_lost(store, found)
    try:
        found.stop = stopped(store)
    except DamagedError as why:
        found.damaged.append(why)
    for each in found.trials.values():
        _read(store, each)
    return found


def _ask(store: Store, found: Sweeping, open_ones: list[Standing], *, unknown: bool) -> None:
    """Query each kind of queue once; RunError if one does not answer, after the others are evaluated."""
    if found.identity.copied:
        found.original = of_original(found.identity)
        if not found.original:
            _settle(store, found, open_ones)
        return
    labels = {each.label for each in open_ones}.union(found.unsubmitted, found.torn)
    batches = [found.batches[label] for label in sorted(labels) if label in found.batches]
    perhaps = found.of_queues(store) if unknown else []
    every = found.headless or (unknown and not perhaps)
    asked = of_each(batches, lister(store), every=every, perhaps=perhaps)
    jobs = [job for each in asked.given for job in each]
    known = {*store.labels(), *store.set_aside(), *store.gone()}
    found.live = {job.label for job in jobs if job.label in known}
    found.unknown = sorted({job.number for job in jobs if job.label not in known})
    if asked.errors and found.headless:  # the queue of the unreadable batches is unknown
        raise asked.errors[0]
    heard = [each for each in open_ones if not asked.is_silent(found.batches.get(each.label))]
    _settle(store, found, _lost(store, heard, jobs))
    if asked.errors:
        raise asked.errors[0]


def _lost(store: Store, open_ones: list[Standing], jobs: list[Job]) -> list[Standing]:
    """Apply the queue's answers; return the trials that it does not know and that have not ended since."""
    alive = {(job.label, job.index): job for job in jobs}
    lost: list[Standing] = []
    for each in open_ones:
        job = alive.get((each.label, each.job)) or alive.get((each.label, None))
        if job is not None:
            if each.state == TrialStatus.RUNNING and job.state == "pending":
                each.state, each.reason = TrialStatus.WAITING, "its node was lost"
            if each.state in (TrialStatus.QUEUED, TrialStatus.WAITING) and job.held:
                each.reason = job.held
            elif each.state == TrialStatus.QUEUED and job.reason not in ORDINARY:
                each.reason = job.reason
            continue
        _read(store, each)
        if each.state.is_alive:
            lost.append(each)
    return lost


def _add(store: Store, found: Sweeping, label: str) -> None:
    """Add a batch and its trials, as far as their files are readable."""
    salvaged = store.salvaged(label)
    head, rows = salvaged.head, salvaged.rows
    if salvaged.damaged is not None:
        found.torn.add(label)
        found.damaged.append(salvaged.damaged)
    if head is not None:
        try:
            queue_of(head)
        except CNError as error:
            why = f"its launch cannot be made: {str(error).partition(chr(10))[0]}"
            found.damaged.append(DamagedError(store.file(label), why))
            head = None
    if head is None:
        found.headless = True
    else:
        found.batches[label] = replace(head, jobs=tuple(row or () for row in rows))
    try:
        if store.number(label) is None and not store.is_unnumbered(label):
            found.unsubmitted.append(label)
    except DamagedError as why:
        found.damaged.append(why)
    for place, row in enumerate(rows):
        for trial in row or ():
            found.trials[trial.id] = Standing(trial, TrialStatus.QUEUED, label, place, head.code if head else "")


def _add_owned(found: Sweeping, owner: Owner) -> None:
    """Add a trial of a point that a search has asked."""
    batch = found.batches.get(owner.label)
    code = batch.code if batch is not None else ""
    found.trials[owner.trial.id] = Standing(
        owner.trial, TrialStatus.QUEUED, owner.label, owner.job, code, until=owner.until
    )


def _add_lost(store: Store, found: Sweeping) -> None:
    """Add trials whose own report names a batch with a damaged file."""
    labels = found.torn | store.set_aside()
    for folder in store.folder.glob("trials/??/*") if labels else ():
        with suppress(DamagedError):
            report = store.report_in(folder)
            if folder.name not in found.trials and report is not None and report.label in labels:
                trial = Trial(folder.name, (), {}, str(folder.relative_to(store.folder)))
                place = report.job.partition("_")[2]
                place = int(place) if place.isdecimal() else 0
                found.trials[trial.id] = Standing(trial, TrialStatus.QUEUED, report.label, place, report.code)


def _read(store: Store, each: Standing) -> None:
    """Apply the trial's report if it is about the last batch, or done; else check whether its run is finished."""
    report: Report | None = None
    try:
        report = store.report(each.trial)
    except DamagedError as why:
        each.damaged, each.reason = why, str(why)
    if report is not None and report.goes_on(each.until):
        return
    if report is not None and (report.label == each.label or report.state == TrialStatus.DONE):
        each.report, each.state, each.reason, each.code = report, report.state, report.reason, report.code
    elif store.is_done_unsaid(each.trial, report):
        each.state = TrialStatus.DONE


def _is_stopped(stop: Stop, each: Standing, batch: Batch | None) -> bool:
    return stop.code == each.code and (batch is None or stop.holds(batch.code, batch.give_up))


def _settle(store: Store, found: Sweeping, lost: list[Standing]) -> None:
    """Decide the state of trials whose jobs are gone and that left no final report."""
    stop, over = found.stop, store.over()
    for each in lost:
        if each.label in found.unsubmitted:
            each.state, each.reason = TrialStatus.NEW, None
        elif each.report is not None and store.is_done_unsaid(each.trial, each.report):
            each.state, each.reason = TrialStatus.DONE, None
        elif each.damaged is not None:
            each.state = TrialStatus.DAMAGED
        elif each.label in over:
            each.state, each.reason = TrialStatus.CANCELLED, "cancelled"
        elif stop is not None and each.report is None and _is_stopped(stop, each, found.batches.get(each.label)):
            each.state, each.reason = TrialStatus.STOPPED, f"{stop.count} others failed: {short(str(stop.reason))}"
    rest = [each for each in lost if each.state.is_alive]
    numbers = {label: store.known_number(label) for label in {each.label for each in rest}}
    queues: dict[type[Queue], tuple[Queue, list[str]]] = {}  # query each kind once
    for each in rest:
        if numbers[each.label] is not None and each.label in found.batches:
            queue = queue_of(found.batches[each.label])
            queues.setdefault(type(queue), (queue, []))[1].append(f"{numbers[each.label]}_{each.job}")
    told = {number: why for queue, wanted in queues.values() for number, why in queue.ended(wanted).items()}
    for each in rest:
        why = told.get(f"{numbers[each.label]}_{each.job}")
        cancelled = why is not None and why.lower().startswith("cancelled")
        each.state = TrialStatus.CANCELLED if cancelled else TrialStatus.FAILED
        each.reason = why or ("its job ended without a word" if each.report else "its job ended before it began")
