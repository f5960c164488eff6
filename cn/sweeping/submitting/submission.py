"""From planned trials to jobs: copy the code, record each batch, and only then call the queue."""

from __future__ import annotations

import json
import os
import secrets
import shlex
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from cn.errors import RunError, UserError
from cn.launching.launch import Launch
from cn.launching.queue import Jobs
from cn.nodes.to_json import plain
from cn.run_folder.folder import refuse_taken
from cn.sweeping.folder import secrets_file
from cn.sweeping.folder.batches import Batch, Trial
from cn.sweeping.folder.identity import next_name, write_identity
from cn.sweeping.folder.look import look
from cn.sweeping.folder.points import Points
from cn.sweeping.folder.queues import ask
from cn.sweeping.folder.standing import Sweeping
from cn.sweeping.folder.store import Store
from cn.sweeping.goal import Goal
from cn.sweeping.planning.plan import Planned
from cn.sweeping.planning.sharing import components
from cn.sweeping.project import root_of, verbs
from cn.sweeping.submitting import snapshots
from cn.sweeping.submitting.turns import Turns
from cn.sweeping.sweep import Sweep


class Called(NamedTuple):
    """The function that trials call, and the code that they import."""

    function: str  # "train:train"
    makes_folder: bool  # whether the function makes the folder of its run itself
    snapshot: str  # name of the copy of the code
    libraries: tuple[str, ...]  # that the processes of its runs need
    source: str | None  # run folder given with --from


def copy_code(store: Store, function: str, makes_folder: bool, needs: tuple[str, ...], source: str | None) -> Called:
    """Copy the code of the program whose function trials call into the sweep's folder; it is read and hashed once."""
    return Called(function, makes_folder, snapshots.take(root_of(function), store.folder / "code"), needs, source)


class Lane(NamedTuple):
    """One array: a range of jobs, and the maximum number of concurrent jobs."""

    start: int
    end: int
    width: int | None
    after: int | None  # index of the lane that must end before; None: no dependency


class Workers(NamedTuple):
    """The jobs of a search."""

    sweep: Sweep
    jobs: int


def recover(store: Store, *, unknown: bool = False, tolerant: bool = False) -> Sweeping:
    """Return the state of all trials, after every batch is known to be in the queue or not.

    A submission may have been killed after it called the queue and before it wrote the job number. Its jobs are
    found by name; a batch that the queue does not know is withdrawn, so that a late job of it ends at once.

    unknown: query the queue in any case. tolerant: if the queue does not answer, return the state in the files.
    """
    for partial in [*store.jobs.glob(".*"), *store.folder.glob(".sweep.json.*")]:
        if partial.is_symlink() or partial.is_file():
            partial.unlink()  # left by a killed process, since the lock is ours
    lacking = [
        label for label in store.labels() if store.known_number(label) is None and not store.is_unnumbered(label)
    ]
    if lacking:
        heads = [store.salvaged(label).head for label in lacking]
        try:
            known = ask(store, [each for each in heads if each is not None], every=None in heads)
        except RunError:
            if not tolerant:
                raise
            return look(store, unknown=unknown)
        numbers = {job.label: job.number for job in known}
        for label in lacking:
            if number := numbers.get(label) or _seen(store, label):
                with store.written():
                    store.set_number(label, number)
            elif not store.is_submitted(label):
                store.drop(label)
    return look(store, tolerant=tolerant, unknown=unknown)


def _seen(store: Store, label: str) -> str | None:
    """Return the batch's job number from a trial's report, in case all of its jobs are over."""
    rows = [trial for job in store.salvaged(label).rows for trial in job or ()]
    for trial in [*rows, *Points(store).of_job(label, None)]:
        report = store.known_report(trial)
        if report is not None and report.label == label:
            return report.job.partition("_")[0]
    return None


def submit(
    store: Store,
    chosen: Sequence[Planned],
    found: Sweeping,
    called: Called,
    *,
    give_up: int | None = None,
    overrides: tuple[str, ...] = (),
    goal: Goal,
    search: Workers | None = None,
) -> dict[str, str]:
    """Queue the chosen trials; return the job numbers by label. The store must be locked, after `recover`.

    search: the workers of a search, of which each begins with its part of the trials, and asks for points then.
    """
    for each in chosen:
        if each.trial.id not in found.trials:
            refuse_taken(store.at(each.trial))
    name, home = next_name(store), store.folder.absolute()
    numbers: dict[str, str] = {}
    turns = Turns(found)
    groups = alike(chosen) if search is None else [(search.sweep.launch, [each.trial for each in chosen])]
    for launch, trials in groups:
        queue = launch.build()
        if search is None:
            jobs = rows(trials, queue.pack, together=not launch.is_here)
        else:
            jobs = [tuple(trials[i :: search.jobs]) for i in range(search.jobs)]
        turn = turns.next(launch, queue.parallel)
        before = tuple(filter(None, map(store.known_number, turn.after)))
        lanes = divide(len(jobs), queue.most(), turn.free)
        own: list[str] = []
        for lane in lanes:
            batch = Batch(
                label=next_label(store),
                **called._asdict(),
                launch=plain(launch),
                cwd=str(Path.cwd()),
                give_up=give_up,
                width=lane.width,
                jobs=tuple(jobs[lane.start : lane.end]),
                overrides=overrides,
                goal=plain(goal),
                name=name,
                home=str(home),
                search=None if search is None else plain(search.sweep),
            )
            label = batch.label
            with store.written():
                write_identity(store, name, home, label)
                if queue.nodes > 1:
                    secrets_file.make(store.secret(label))
                store.add(batch)
            wanted = as_jobs(store, batch, after=before if lane.after is None else (own[lane.after],))
            try:
                number = queue.submit(wanted)
            except OSError:  # before the queue was called
                store.drop(label, refused=True)
                with store.written():
                    raise
            except Exception as error:
                number = _taken(store, batch, error, numbers)
            with store.written():  # if this fails, the next verb finds the batch in the queue
                store.set_number(label, number)
            own.append(number)
            numbers[label] = number
            turns.add(launch, batch)
    return numbers


def _taken(store: Store, batch: Batch, error: Exception, before: dict[str, str]) -> str:
    """Return the number of a batch that the queue has despite the error; else withdraw it and raise the error.

    before: the numbers of the batches that this submission queued before, which the error names.
    If the queue does not answer, the batch is kept, and the next verb asks again.
    """
    refused, see = isinstance(error, UserError), f"{verbs()} status {shlex.quote(str(store.folder))}"
    try:
        jobs = ask(store, [batch])
    except RunError as silent:
        if not refused:
            what, unsaid = (str(each).partition("\n")[0] for each in (error, silent))
            nor = f"nor does it say whether it has them: {unsaid}"
            raise RunError(what, nor, f"what it has of them: {see}") from None
        jobs = []
    number = next((job.number for job in jobs if job.label == batch.label), None)
    if number is None:
        store.drop(batch.label, refused=refused)
        queued = f"others were queued before: {', '.join(before.values())}: {see}"
        raise type(error)(error, queued) if before else error
    return number


def for_now(
    store: Store,
    chosen: Sequence[Planned],
    launch: Launch,
    called: Called,
    *,
    goal: Goal,
) -> Jobs:
    """Record one batch and return its jobs for `Queue.run`; the caller waits for them."""
    for each in chosen:
        refuse_taken(store.at(each.trial))
    name, home = next_name(store), store.folder.absolute()
    batch = Batch(
        label=next_label(store),
        **called._asdict(),
        launch=plain(launch),
        cwd=str(Path.cwd()),
        give_up=None,
        width=launch.build().parallel,
        jobs=tuple((each.trial,) for each in chosen),
        goal=plain(goal),
        name=name,
        home=str(home),
    )
    with store.written():
        write_identity(store, name, home, batch.label)
        store.add(batch)
        try:
            store.set_number(batch.label, str(os.getpid()))
        except OSError:
            store.drop(batch.label, refused=True)
            raise
    return as_jobs(store, batch)


def as_jobs(store: Store, batch: Batch, *, after: tuple[str, ...] = ()) -> Jobs:
    """Return a batch as a job array for a queue."""
    folder = store.folder.absolute()
    assert batch.name is not None
    return Jobs(
        name=batch.name,
        label=batch.label,
        words=("-m", "cn.sweeping.job", str(folder), batch.label),
        environment=snapshots.environment(folder / "code" / batch.snapshot),
        count=len(batch.jobs),
        folder=store.jobs / batch.label,
        at_once=batch.width,
        after=after,
    )


def next_label(store: Store) -> str:
    """Return a new label after all others; a withdrawn label is never reused."""
    last = max((int(label.partition("-")[0]) for label in store.labels()), default=0)
    return f"{last + 1:04d}-{secrets.token_hex(2)}"


def divide(count: int, most: int, parallel: int | None) -> list[Lane]:
    """Split `count` jobs into arrays of at most `most` jobs that together run at most `parallel` jobs at once."""
    number = -(-count // most)
    edges = [count * i // number for i in range(number + 1)]
    pairs = list(pairwise(edges))
    if parallel is None:
        return [Lane(start, end, None, None) for start, end in pairs]
    if parallel >= number:  # concurrent arrays, each with its share
        share = [parallel * (i + 1) // number - parallel * i // number for i in range(number)]
        return [Lane(start, end, width, None) for (start, end), width in zip(pairs, share, strict=True)]
    chains = [(start, end, 1, i - parallel if i >= parallel else None) for i, (start, end) in enumerate(pairs)]
    return [Lane(*each) for each in chains]


def rows(trials: list[Trial], pack: int, *, together: bool) -> list[tuple[Trial, ...]]:
    """Return the trials of each job: `pack` at once. together: trials that go on from one another are in one job."""
    size = max(1, pack)
    trees = components(trials) if together else []
    found = [tuple(each) for each in trees if len(each) > 1]
    single = [each for tree in trees if len(tree) == 1 for each in tree] if together else trials
    return [*found, *(tuple(single[i : i + size]) for i in range(0, len(single), size))]


def alike(chosen: Sequence[Planned]) -> list[tuple[Launch, list[Trial]]]:
    """Group the trials by launch, in the order of first appearance."""
    keys: dict[int, str] = {}  # most trials share one object
    groups: dict[str, tuple[Launch, list[Trial]]] = {}
    for each in chosen:
        if id(each.launch) not in keys:
            keys[id(each.launch)] = json.dumps(plain(each.launch), sort_keys=True)
        groups.setdefault(keys[id(each.launch)], (each.launch, []))[1].append(each.trial)
    return list(groups.values())
