"""The queues that a sweep's jobs may be in: one of each kind is asked, and all of them though one does not answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar, cast

from cn import RunError, discover
from cn.record import unplain
from runs.launch import Launch
from runs.launch._commands import AbsentError
from runs.launch._queue import Job, Queue
from sweeps._batch import Batch
from sweeps._identity import Identity, identity
from sweeps._store import Store

T = TypeVar("T")


def ask(store: Store, batches: Iterable[Batch], *, every: bool = False, perhaps: Iterable[Batch] = ()) -> list[Job]:
    """The jobs of a sweep that are not over; which queues are asked says `of_each`. Raises RunError."""
    asked = of_each(batches, lister(store), every=every, perhaps=perhaps)
    if asked.errors:
        raise asked.errors[0]
    return [job for jobs in asked.given for job in jobs]


def lister(store: Store) -> Callable[[Queue], list[Job]]:
    """What asks a queue for a sweep's jobs; a batch is known by its number where its label has been changed."""
    name = ",".join(identity(store).names)
    known = store.labels()
    labels = {number: label for label in known if (number := store.known_number(label)) is not None}

    def jobs(queue: Queue) -> list[Job]:
        found = queue.jobs(name, store.jobs)
        return [
            each if each.label in known or each.number not in labels else replace(each, label=labels[each.number])
            for each in found
        ]

    return jobs


@dataclass
class Answers(Generic[T]):
    """What queues answered, and what those that did not raised."""

    given: list[T] = field(default_factory=list[T])
    errors: list[RunError] = field(default_factory=list[RunError])
    silent: set[type[Queue]] = field(default_factory=set[type[Queue]])

    def is_silent(self, batch: Batch | None) -> bool:
        """Whether the queue of a batch has not answered."""
        return batch is not None and type(queue_of(batch)) in self.silent


def of_each(
    batches: Iterable[Batch], action: Callable[[Queue], T], *, every: bool = False, perhaps: Iterable[Batch] = ()
) -> Answers[T]:
    """Ask one queue of each kind that the batches are in, and all of them though one does not answer.

    perhaps: batches whose kinds are asked too where this machine has them. every: whether all kinds are.
    """
    needed = {type(queue): queue for queue in map(queue_of, batches)}
    others = [*map(queue_of, perhaps)]
    if every:
        others += [cast("type[Launch]", kind)().build() for kind in discover.options((Launch,))[0].values()]
    found = Answers[T]()
    for kind, queue in ({type(queue): queue for queue in others} | needed).items():
        try:
            found.given.append(action(queue))
        except RunError as error:
            if kind in needed or not isinstance(error, AbsentError):
                found.errors.append(error)
                found.silent.add(kind)
    return found


def of_original(identity: Identity) -> list[Job]:
    """The jobs, not over, of the folder that one is a copy of."""
    original, name = Store(identity.home), ",".join(identity.names)
    heads = original.heads()
    perhaps = [*heads.values(), *original.withdrawn()]
    every = len(heads) < len(original.labels()) or bool(original.gone()) or not perhaps
    asked = of_each((), lambda queue: queue.jobs(name, original.jobs), perhaps=perhaps, every=every)
    if asked.errors:
        raise asked.errors[0]
    return [job for jobs in asked.given for job in jobs]


def launch_of(batch: Batch) -> Launch:
    launch = unplain(batch.launch)
    assert isinstance(launch, Launch)
    return launch


def queue_of(batch: Batch) -> Queue:
    return launch_of(batch).build()
