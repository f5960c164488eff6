"""How every trial of a sweep stands: its own file says; the queue is asked, once, about those that are silent."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cn import RunError, UserError
from cn.errors import hint, lines, short
from cn.record import unplain
from runs.launch import Launch
from runs.launch._queue import Job, Queue
from sweeps._store import Batch, Report, State, Store, Trial

ALIVE = ("running", "waiting", "queued")
ORDINARY = ("", "None", "Priority", "Resources", "Dependency", "BeginTime", "JobArrayTaskLimit")  # of a job that waits
AGAIN = ("failed", "cancelled", "stopped")  # ended without a result: what `retry` queues


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


@dataclass
class Sweeping:
    """All trials that were ever submitted, by their ids."""

    trials: dict[str, Standing] = field(default_factory=dict[str, Standing])
    batches: dict[str, Batch] = field(default_factory=dict[str, Batch])
    unsubmitted: list[str] = field(default_factory=list[str])  # batches of which no number is known
    live: set[str] = field(default_factory=set[str])  # batches with jobs that are not over
    silent: str | None = None  # why the queue could not be asked

    def one(self, word: str, sweep: str) -> Standing:
        """The trial that a word is the beginning of."""
        fitting = [each for identity, each in self.trials.items() if identity.startswith(word)]
        if len(fitting) == 1:
            return fitting[0]
        what = f"{len(fitting)} trials of {sweep} begin with {word!r}"
        if not fitting:
            what = f"no trial of {sweep} is called {word!r}"
        raise UserError(lines(what, hint(word, self.trials), f"see: python -m sweeps status {sweep}"))


def look(store: Store, *, tolerant: bool = True) -> Sweeping:
    """Read every file, then ask the queue about what they leave open; RunError where it does not answer.

    tolerant: where the queue does not answer, what the files say is taken as it is.
    """
    found = Sweeping()
    for label in store.labels():
        batch = found.batches[label] = store.batch(label)
        if store.number(label) is None:
            found.unsubmitted.append(label)
        for place, job in enumerate(batch.jobs):
            for trial in job:
                found.trials[trial.id] = Standing(trial, "queued", label, place, batch.code)
    over = store.over()
    for each in found.trials.values():
        _read(store, each)
    open_ones = [each for each in found.trials.values() if each.state in ALIVE]
    if not open_ones and not found.unsubmitted:
        return found
    try:
        labels = {each.label for each in open_ones}.union(found.unsubmitted)
        jobs = ask(store, [found.batches[label] for label in sorted(labels)])
    except RunError as error:
        if not tolerant:
            raise
        found.silent = str(error)
        return found
    found.live = {job.label for job in jobs}
    alive = {(job.label, job.index): job for job in jobs}
    lost: list[Standing] = []
    for each in open_ones:
        job = alive.get((each.label, each.job)) or alive.get((each.label, None))
        if job is not None:
            if each.state == "running" and job.state == "pending":
                each.state, each.reason = "waiting", "its node was lost"
            elif each.state == "queued" and job.reason not in ORDINARY:
                each.reason = job.reason
            continue
        _read(store, each)  # it may have ended since
        if each.state in ALIVE:
            lost.append(each)
    _settle(store, found, lost, over)
    return found


def ask(store: Store, batches: Iterable[Batch]) -> list[Job]:
    """The jobs of a sweep that are not over, from each kind of queue that it has used."""
    queues = {type(queue): queue for queue in map(queue_of, batches)}
    return [job for queue in queues.values() for job in queue.jobs(store.name, store.jobs)]


def launch_of(batch: Batch) -> Launch:
    launch = unplain(batch.launch)
    assert isinstance(launch, Launch)
    return launch


def queue_of(batch: Batch) -> Queue:
    return launch_of(batch).build()


def _read(store: Store, each: Standing) -> None:
    """What the trial's own file says, where it is about its last batch."""
    report = store.report(each.trial)
    if report is not None and report.label == each.label:
        each.report, each.state, each.reason, each.code = report, report.state, report.reason, report.code


def _settle(store: Store, found: Sweeping, lost: list[Standing], over: set[str]) -> None:
    """Say what became of trials whose jobs are no more, without a word of their own."""
    stop = stopped(store)
    for each in lost:
        if each.label in found.unsubmitted:
            each.state, each.reason = "new", None
        elif each.label in over:
            each.state, each.reason = "cancelled", "cancelled"
        elif stop is not None and stop["code"] == each.code and each.report is None:
            each.state, each.reason = "stopped", f"{stop['count']} others failed: {short(str(stop['reason']))}"
    rest = [each for each in lost if each.state in ALIVE]
    told: dict[str, str] = {}
    for label in {each.label for each in rest}:
        number = store.number(label)
        numbers = [f"{number}_{each.job}" for each in rest if each.label == label]
        told |= queue_of(found.batches[label]).ended(numbers)
    for each in rest:
        why = told.get(f"{store.number(each.label)}_{each.job}")
        cancelled = why is not None and why.lower().startswith("cancelled")
        each.state = "cancelled" if cancelled else "failed"
        each.reason = why or ("its job ended without a word" if each.report else "its job ended before it began")


def ended_so(states: Iterable[str]) -> str:
    """`what failed or was cancelled`, of the states that have ended without a result."""
    told = ["failed" if each == "failed" else f"was {each}" for each in AGAIN if each in states]
    return f"what {' or '.join(told)}"


def stopped(store: Store) -> dict[str, Any] | None:
    """Why no other trial of some code is started; None where they are."""
    try:
        return json.loads((store.folder / "stop.json").read_text())
    except FileNotFoundError:
        return None
