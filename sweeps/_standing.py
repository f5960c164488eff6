"""How every trial of a sweep stands: its own file says; the queue is asked, once, about those that are silent."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from cn import CNError, RunError, UserError
from cn.errors import hint, lines, short
from runs._state_files import DamagedError, built, content, parsed
from runs.launch._queue import Job, Queue
from sweeps._batch import Batch, Trial
from sweeps._identity import Identity, identity, is_known
from sweeps._queues import lister, of_each, of_original, queue_of
from sweeps._store import Report, State, Store

ALIVE = ("running", "waiting", "queued")
ORDINARY = ("", "None", "Priority", "Resources", "Dependency", "BeginTime", "JobArrayTaskLimit")  # of a job that waits
AGAIN = ("failed", "damaged", "cancelled", "stopped")  # ended without a result: what `retry` queues


@dataclass
class Standing:
    """One trial, in the last batch that it was submitted in."""

    trial: Trial
    state: State
    label: str
    job: int  # its place in the batch
    code: str
    report: Report | None = None
    reason: str | None = None
    damaged: DamagedError | None = None  # its own file


@dataclass(frozen=True)
class Stop:
    """Why no other trial of some code is started: stop.json."""

    reason: str | None
    count: int  # of the trials that failed for it
    code: str


@dataclass
class Sweeping:
    """All trials that were ever submitted, by their ids."""

    identity: Identity
    trials: dict[str, Standing] = field(default_factory=dict[str, Standing])
    batches: dict[str, Batch] = field(default_factory=dict[str, Batch])
    unsubmitted: list[str] = field(default_factory=list[str])  # batches of which no number is known
    live: set[str] = field(default_factory=set[str])  # batches with jobs that are not over
    original: list[Job] = field(default_factory=list[Job])  # those of the folder that this one is a copy of
    unknown: list[str] = field(default_factory=list[str])  # numbers of other jobs of its name, which no file tells of
    silent: str | None = None  # why the queue could not be asked
    damaged: list[DamagedError] = field(default_factory=list[DamagedError])  # files that are not one trial's own
    torn: set[str] = field(default_factory=set[str])  # batches of which not all jobs, and so trials, can be read
    headless: bool = False  # whether a batch's own line cannot be read, and so not what its jobs need
    stop: Stop | None = None

    def of_queues(self, store: Store) -> list[Batch]:
        """The batches by which the kinds of queues are known that may have any job of the sweep."""
        return [*self.batches.values(), *store.withdrawn()]

    def one(self, word: str, sweep: str) -> Standing:
        """The trial that a word is the beginning of."""
        fitting = [each for identity, each in self.trials.items() if identity.startswith(word)]
        if len(fitting) == 1:
            return fitting[0]
        what = f"{len(fitting)} trials of {sweep} begin with {word!r}"
        if not fitting:
            what = f"no trial of {sweep} is called {word!r}"
        raise UserError(lines(what, hint(word, self.trials), f"see: python -m sweeps status {sweep}"))


def look(store: Store, *, tolerant: bool = True, unknown: bool = False) -> Sweeping:
    """Read every file, then ask the queue about what they leave open; RunError where it does not answer.

    tolerant: where the queue does not answer, what the files say is taken as it is.
    unknown: it is asked in any case, for jobs that no file tells of.
    """
    found = _files(store)
    open_ones = [each for each in found.trials.values() if each.state in ALIVE]
    unknown = unknown and is_known(store)
    if not (open_ones or found.unsubmitted or found.torn or unknown):
        return found
    try:
        _ask(store, found, open_ones, unknown=unknown)
    except RunError as error:
        if not tolerant:
            raise
        found.silent = str(error)
    return found


def _files(store: Store) -> Sweeping:
    """What the files tell, before any queue is asked."""
    found = Sweeping(identity(store))
    for label in store.labels():
        _add(store, found, label)
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
    """Ask each kind of queue once; RunError where one does not answer, once those that do have been heard."""
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
    if asked.errors and found.headless:  # of which queue the rest is cannot be told
        raise asked.errors[0]
    heard = [each for each in open_ones if not asked.is_silent(found.batches.get(each.label))]
    _settle(store, found, _lost(store, heard, jobs))
    if asked.errors:
        raise asked.errors[0]


def _lost(store: Store, open_ones: list[Standing], jobs: list[Job]) -> list[Standing]:
    """Note what the queue tells of trials; those that it knows nothing of, and that have not ended since."""
    alive = {(job.label, job.index): job for job in jobs}
    lost: list[Standing] = []
    for each in open_ones:
        job = alive.get((each.label, each.job)) or alive.get((each.label, None))
        if job is not None:
            if each.state == "running" and job.state == "pending":
                each.state, each.reason = "waiting", "its node was lost"
            if each.state in ("queued", "waiting") and job.held:
                each.reason = job.held
            elif each.state == "queued" and job.reason not in ORDINARY:
                each.reason = job.reason
            continue
        _read(store, each)
        if each.state in ALIVE:
            lost.append(each)
    return lost


def _add(store: Store, found: Sweeping, label: str) -> None:
    """Add a batch and its trials, as far as their files can be read."""
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
            found.trials[trial.id] = Standing(trial, "queued", label, place, head.code if head is not None else "")


def _add_lost(store: Store, found: Sweeping) -> None:
    """Add trials that say of themselves that they are of a batch whose file can no longer tell of them."""
    labels = found.torn | store.set_aside()
    for folder in store.folder.glob("trials/??/*") if labels else ():
        with suppress(DamagedError):
            report = store.report_in(folder)
            if folder.name not in found.trials and report is not None and report.label in labels:
                trial = Trial(folder.name, (), {}, str(folder.relative_to(store.folder)))
                place = report.job.partition("_")[2]
                place = int(place) if place.isdecimal() else 0
                found.trials[trial.id] = Standing(trial, "queued", report.label, place, report.code)


def _read(store: Store, each: Standing) -> None:
    """What the trial's own file says, where it is about its last batch; else whether its run is finished."""
    report: Report | None = None
    try:
        report = store.report(each.trial)
    except DamagedError as why:
        each.damaged, each.reason = why, str(why)
    if report is not None and report.label == each.label:
        each.report, each.state, each.reason, each.code = report, report.state, report.reason, report.code
    elif (report is None or report.state in ALIVE) and store.is_finished(each.trial):
        each.state = "done"


def _settle(store: Store, found: Sweeping, lost: list[Standing]) -> None:
    """Say what became of trials whose jobs are no more, without a word of their own."""
    stop, over = found.stop, store.over()
    for each in lost:
        if each.label in found.unsubmitted:
            each.state, each.reason = "new", None
        elif each.report is not None and store.is_finished(each.trial):  # its process had no time to say so
            each.state, each.reason = "done", None
        elif each.damaged is not None:
            each.state = "damaged"
        elif each.label in over:
            each.state, each.reason = "cancelled", "cancelled"
        elif stop is not None and stop.code == each.code and each.report is None:
            each.state, each.reason = "stopped", f"{stop.count} others failed: {short(str(stop.reason))}"
    rest = [each for each in lost if each.state in ALIVE]
    numbers = {label: store.known_number(label) for label in {each.label for each in rest}}
    queues: dict[type[Queue], tuple[Queue, list[str]]] = {}  # each kind is asked once
    for each in rest:
        if numbers[each.label] is not None and each.label in found.batches:
            queue = queue_of(found.batches[each.label])
            queues.setdefault(type(queue), (queue, []))[1].append(f"{numbers[each.label]}_{each.job}")
    told = {number: why for queue, wanted in queues.values() for number, why in queue.ended(wanted).items()}
    for each in rest:
        why = told.get(f"{numbers[each.label]}_{each.job}")
        cancelled = why is not None and why.lower().startswith("cancelled")
        each.state = "cancelled" if cancelled else "failed"
        each.reason = why or ("its job ended without a word" if each.report else "its job ended before it began")


def ended_so(states: Iterable[str]) -> str:
    """`what failed or was cancelled`, of the states that have ended without a result."""
    told = ["failed" if each == "failed" else f"was {each}" for each in AGAIN if each in states]
    return f"what {' or '.join(told)}"


def stopped(store: Store) -> Stop | None:
    """Why no other trial of some code is started; None where they are. Raises DamagedError."""
    path = store.folder / "stop.json"
    text = content(path)
    return None if text is None else built(Stop, parsed(text, path), path)
