"""The queues that may have a sweep's jobs: each kind is queried once, even if another does not answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar, cast

from cn.discovery import discover
from cn.errors import RunError
from cn.launching.commands import AbsentError
from cn.launching.launch import Launch
from cn.launching.queue import Job, Queue
from cn.sweeping.folder.batches import Batch
from cn.sweeping.folder.identity import Identity, identity
from cn.sweeping.folder.store import Store
from cn.writing.record import unplain

T = TypeVar("T")


def ask(store: Store, batches: Iterable[Batch], *, every: bool = False, perhaps: Iterable[Batch] = ()) -> list[Job]:
    """Return the sweep's jobs that are not over; `of_each` chooses the queues. Raises RunError."""
    asked = of_each(batches, lister(store), every=every, perhaps=perhaps)
    if asked.errors:
        raise asked.errors[0]
    return [job for jobs in asked.given for job in jobs]


def lister(store: Store) -> Callable[[Queue], list[Job]]:
    """Return a function that lists a sweep's jobs in a queue; a renamed batch is recognized by its number."""
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
    """The answers of queues, and the errors of those that did not answer."""

    given: list[T] = field(default_factory=list[T])
    errors: list[RunError] = field(default_factory=list[RunError])
    silent: set[type[Queue]] = field(default_factory=set[type[Queue]])

    def is_silent(self, batch: Batch | None) -> bool:
        """Return whether the queue of a batch has not answered."""
        return batch is not None and type(queue_of(batch)) in self.silent


def of_each(
    batches: Iterable[Batch], action: Callable[[Queue], T], *, every: bool = False, perhaps: Iterable[Batch] = ()
) -> Answers[T]:
    """Call `action` on one queue of each kind among the batches, even if another kind does not answer.

    perhaps: batches whose kinds are queried too, if this machine has them. every: query all kinds.
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
    """Return the live jobs of the original folder of a copy."""
    original, name = Store(identity.home), ",".join(identity.names)
    heads = original.heads()
    perhaps = [*heads.values(), *original.withdrawn()]
    every = len(heads) < len(original.labels()) or bool(original.gone()) or not perhaps
    asked = of_each((), lambda queue: queue.jobs(name, original.jobs), perhaps=perhaps, every=every)
    if asked.errors:
        raise asked.errors[0]
    return [job for jobs in asked.given for job in jobs]


def launch_of(batch: Batch) -> Launch:
    launch = unplain(batch.launch, types=(Launch,))
    assert isinstance(launch, Launch)
    return launch


def queue_of(batch: Batch) -> Queue:
    return launch_of(batch).build()
