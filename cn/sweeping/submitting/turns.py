"""Which batches of a sweep run side by side, and which wait for others to end: `parallel` holds for all of them."""

from __future__ import annotations

from typing import NamedTuple

from cn.launching.launch import Launch
from cn.sweeping.folder.batches import Batch
from cn.sweeping.folder.queues import launch_of
from cn.sweeping.folder.standing import Sweeping


class Turn(NamedTuple):
    """When a further batch may run."""

    free: int | None  # places that it may take; None: any number
    after: tuple[str, ...]  # labels of the batches that must end first


class Turns:
    """The batches that run here and those in a queue, which do not share places."""

    def __init__(self, found: Sweeping) -> None:
        self.beside: dict[bool, dict[str, int]] = {True: {}, False: {}}  # by Launch.is_here: labels -> places taken
        self.behind: dict[bool, tuple[str, ...]] = {True: (), False: ()}  # labels that all further batches wait for
        self.lost = dict.fromkeys(found.live - found.batches.keys(), 0)  # of which no file tells
        for label, batch in found.batches.items():
            if label in found.live:
                self.add(launch_of(batch), batch)

    def next(self, launch: Launch, parallel: int | None) -> Turn:
        """Return when a batch of this launch may run: once all others have ended, if these have taken every place."""
        if parallel is None:
            return Turn(None, ())
        here = launch.is_here
        free = parallel - sum(self.beside[here].values())
        if free < 1:
            self.behind[here], self.beside[here] = tuple(sorted({**self.lost, **self.beside[here]})), {}
            free = parallel
        return Turn(free, self.behind[here])

    def add(self, launch: Launch, batch: Batch) -> None:
        """Count a batch that is queued. Here it takes all places that it was given, since each has GPUs of its own."""
        width = batch.width or 0
        self.beside[launch.is_here][batch.label] = width if launch.is_here else min(width, len(batch.jobs))
