"""Trials that were cancelled, and whose processes have not ended yet: what goes on with them waits for that."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cn.errors import RunError, UserError
from cn.launching.queue import PAUSE
from cn.screen import say
from cn.sweeping.folder.identity import identity
from cn.sweeping.folder.queues import of_original
from cn.sweeping.folder.standing import Sweeping
from cn.sweeping.folder.store import Store
from cn.sweeping.planning.named import Named
from cn.sweeping.project import verbs
from cn.sweeping.submitting.submission import recover

PATIENCE = 60.0  # s; a trial saves its checkpoint before it ends


@contextmanager
def settled(named: Named, verb: str, others: Sequence[str] = (), *, search: bool = False) -> Iterator[Sweeping]:
    """Lock the sweep's folder, once what was cancelled has ended, and give the states of all trials.

    others: the beginnings of the only trials that are waited for. search: wait for the workers of a search too.
    RunError if they do not end in time.
    """
    end: float | None = None
    while True:
        with named.store.locked():  # released between two looks, so that a second `cancel` can end them at once
            refuse_copy(named, verb)
            found = recover(named.store, unknown=search)
            left = [each for each in ending(named.store, found) if not others or each.startswith(tuple(others))]
            if not left and not (search and found.live & named.store.over()):
                yield found
                return
        if end is None:
            end = time.monotonic() + PATIENCE
            say(f"what was cancelled has not ended yet, and {verb} waits for it", error=True)
        elif time.monotonic() > end:
            what = f"what was cancelled has not ended in {PATIENCE:g} s"
            again = f"to wait again: {' '.join([named.command(verb), *others])}"
            raise RunError(what, f"to end it at once: {named.command('cancel')}", again)
        time.sleep(PAUSE)


def ending(store: Store, found: Sweeping) -> list[str]:
    """Return the trials whose jobs were cancelled, and are not over yet."""
    labels = found.live & store.over()
    return [name for name, each in found.trials.items() if each.state.is_alive and each.label in labels]


def refuse_copy(named: Named, verb: str) -> None:
    """Raise UserError if the folder is a copy of another sweep's folder that has jobs in the queue."""
    found = identity(named.store)
    if found.copied and of_original(found):
        what = f"{named.store.folder} is a copy of {found.home}, which has jobs in the queue"
        there = f"{verbs()} {'cancel' if verb == 'cancel' else 'status'} {shlex.quote(str(found.home))}"
        rest = None if verb == "cancel" else f"to {verb} the copy: when they are over"
        raise UserError(what, f"these are that one's: {there}", rest)
