"""From planned trials to jobs: the code is copied, each batch written down, and only then is the queue asked."""

from __future__ import annotations

import json
import os
import secrets
import shlex
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from cn import RunError, UserError
from cn.errors import lines
from cn.record import plain
from runs._folder import refuse_taken
from runs.launch import Launch
from runs.launch._queue import Jobs
from runs.launch.local import Local
from sweeps import Goal, _secret, _snapshot
from sweeps._batch import Batch, Trial
from sweeps._identity import next_name, write_identity
from sweeps._plan import Planned
from sweeps._queues import ask
from sweeps._standing import Sweeping, look
from sweeps._store import Store

ROOT = Path(__file__).resolve().parents[1]  # of the code, wherever a command was typed
FUNCTION = "train:train"


class Lane(NamedTuple):
    """One array: which jobs are in it, and how many of them run at once."""

    start: int
    end: int
    width: int | None
    after: int | None  # the place of the lane that must be over before; None: it need not wait


def recover(store: Store, *, unknown: bool = False, tolerant: bool = False) -> Sweeping:
    """How all trials stand, once every batch is known to be in the queue or known not to be.

    A submission may have been killed between the queue and its own note. Its jobs are found by their name; a batch
    that the queue does not know is withdrawn, so that a job of it that comes all the same ends at once.

    unknown: the queue is asked in any case. tolerant: where it does not answer, what the files say is taken as it is.
    """
    for partial in [*store.jobs.glob(".*"), *store.folder.glob(".sweep.json.*")]:
        if partial.is_symlink() or partial.is_file():
            partial.unlink()  # of a process that was killed, since this one alone may write here
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
    """The number that a trial of the batch noted, where all of its jobs are over already."""
    for job in store.salvaged(label).rows:
        for trial in job or ():
            report = store.known_report(trial)
            if report is not None and report.label == label:
                return report.job.partition("_")[0]
    return None


def submit(
    store: Store,
    chosen: Sequence[Planned],
    found: Sweeping,
    *,
    give_up: int | None = None,
    function: str = FUNCTION,
    source: str | None = None,
    overrides: tuple[str, ...] = (),
    goal: Goal,
) -> dict[str, str]:
    """Queue the chosen trials; the queue's numbers by label. Call it with the store locked, after `recover`."""
    for each in chosen:
        if each.trial.id not in found.trials:
            refuse_taken(store.at(each.trial))
    snapshot = _snapshot.take(ROOT, store.folder / "code")
    name, home = next_name(store), store.folder.absolute()
    numbers: dict[str, str] = {}
    for launch, trials in alike(chosen):
        queue = launch.build()
        size = max(1, queue.pack)
        jobs = [tuple(trials[i : i + size]) for i in range(0, len(trials), size)]
        taken = sum(batch.width or 0 for label, batch in found.batches.items() if label in found.live)
        free = None if queue.parallel is None else queue.parallel - taken
        before = (
            tuple(filter(None, map(store.known_number, sorted(found.live)))) if free is not None and free < 1 else ()
        )
        lanes = divide(len(jobs), queue.most(), queue.parallel if before else free)
        own: list[str] = []
        for lane in lanes:
            batch = Batch(
                label=next_label(store),
                snapshot=snapshot,
                function=function,
                launch=plain(launch),
                cwd=str(Path.cwd()),
                give_up=give_up,
                width=lane.width,
                source=source,
                jobs=tuple(jobs[lane.start : lane.end]),
                overrides=overrides,
                goal=plain(goal),
                name=name,
                home=str(home),
            )
            label = batch.label
            with store.written():
                write_identity(store, name, home, label)
                if queue.nodes > 1:
                    _secret.make(store.secret(label))
                store.add(batch)
            wanted = as_jobs(store, batch, after=before if lane.after is None else (own[lane.after],))
            try:
                number = queue.submit(wanted)
            except OSError:  # before the queue was asked
                store.drop(label, refused=True)
                with store.written():
                    raise
            except Exception as error:
                number = _taken(store, batch, error)
            with store.written():  # else the next verb finds it in the queue
                store.set_number(label, number)
            own.append(number)
            numbers[label] = number
    return numbers


def _taken(store: Store, batch: Batch, error: Exception) -> str:
    """The number of a batch that the queue has all the same; else it is withdrawn, and the error raised.

    Where the queue does not say, the batch stays, and the next verb asks again.
    """
    refused = isinstance(error, UserError)
    try:
        jobs = ask(store, [batch])
    except RunError as silent:
        if not refused:
            what, unsaid = (str(each).partition("\n")[0] for each in (error, silent))
            told = f"what it has of them: python -m sweeps status {shlex.quote(str(store.folder))}"
            raise RunError(lines(what, f"nor does it say whether it has them: {unsaid}", told)) from None
        jobs = []
    number = next((job.number for job in jobs if job.label == batch.label), None)
    if number is None:
        store.drop(batch.label, refused=refused)
        raise error
    return number


def for_now(
    store: Store, chosen: Sequence[Planned], launch: Local, *, function: str, source: str | None, goal: Goal
) -> Jobs:
    """Jobs for `LocalQueue.run`, which the caller waits for: one batch, written down."""
    for each in chosen:
        refuse_taken(store.at(each.trial))
    name, home = next_name(store), store.folder.absolute()
    batch = Batch(
        label=next_label(store),
        snapshot=_snapshot.take(ROOT, store.folder / "code"),
        function=function,
        launch=plain(launch),
        cwd=str(Path.cwd()),
        give_up=None,
        width=launch.parallel,
        source=source,
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
    """A batch, as queues take it."""
    folder = store.folder.absolute()
    assert batch.name is not None
    return Jobs(
        name=batch.name,
        label=batch.label,
        words=("-m", "sweeps._job", str(folder), batch.label),
        environment=_snapshot.environment(folder / "code" / batch.snapshot),
        count=len(batch.jobs),
        folder=store.jobs / batch.label,
        at_once=batch.width,
        after=after,
    )


def next_label(store: Store) -> str:
    """A label after all others, that was never given before, also to a batch that was withdrawn."""
    last = max((int(label.partition("-")[0]) for label in store.labels()), default=0)
    return f"{last + 1:04d}-{secrets.token_hex(2)}"


def divide(count: int, most: int, parallel: int | None) -> list[Lane]:
    """Arrays for `count` jobs of at most `most` each, that together never run more than `parallel` at once."""
    number = -(-count // most)
    edges = [count * i // number for i in range(number + 1)]
    pairs = list(pairwise(edges))
    if parallel is None:
        return [Lane(start, end, None, None) for start, end in pairs]
    if parallel >= number:  # side by side, each with its share
        share = [parallel * (i + 1) // number - parallel * i // number for i in range(number)]
        return [Lane(start, end, width, None) for (start, end), width in zip(pairs, share, strict=True)]
    chains = [(start, end, 1, i - parallel if i >= parallel else None) for i, (start, end) in enumerate(pairs)]
    return [Lane(*each) for each in chains]


def alike(chosen: Sequence[Planned]) -> list[tuple[Launch, list[Trial]]]:
    """Trials by what their jobs need, in the order of the first of each."""
    keys: dict[int, str] = {}  # most trials share one object
    groups: dict[str, tuple[Launch, list[Trial]]] = {}
    for each in chosen:
        if id(each.launch) not in keys:
            keys[id(each.launch)] = json.dumps(plain(each.launch), sort_keys=True)
        groups.setdefault(keys[id(each.launch)], (each.launch, []))[1].append(each.trial)
    return list(groups.values())
