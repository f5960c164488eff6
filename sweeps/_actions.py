"""What changes a sweep: `submit`, `retry`, `cancel`. Each may be typed twice, and none needs a process that stays."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import Any

from cn import RunError, UserError
from cn.errors import lines
from runs._folder import again
from runs.launch import Launch
from sweeps import _snapshot, _submit
from sweeps._identity import identity, is_known
from sweeps._mend import adopt, mend
from sweeps._named import Named, describe
from sweeps._plan import Planned
from sweeps._preview import many
from sweeps._queues import launch_of, of_each, of_original
from sweeps._standing import AGAIN, ALIVE, Standing, Sweeping, ended_so
from sweeps._store import BEGUN, LOG, REPORT, Store, of_trial
from sweeps._submit import ROOT, recover


def submit(named: Named, others: Sequence[str], *, every: bool) -> tuple[str, Any]:
    """Queue the trials that were never submitted."""
    planned = named.planned()
    with named.store.locked():
        _refuse_copy(named, "submit")
        found = recover(named.store)
        adopt(named.store, found, planned)
        known = {identity for identity, each in found.trials.items() if each.state != "new"}
        chosen = [each for each in planned if each.trial.id not in known]
        numbers = queue(named, chosen, found)
    old = [found.trials[each.trial.id] for each in planned if each.trial.id in known]
    rest = f"is left alone; to run it again: {named.command('retry')}"
    nothing = "nothing new to queue" if planned else "nothing to queue: keep() leaves out every point"
    return _queued(named, chosen, numbers, old, otherwise=nothing, rest=rest)


def retry(named: Named, others: Sequence[str], *, every: bool) -> tuple[str, Any]:
    """Queue again what has ended without a result; it goes on from its last checkpoint where the code is the same."""
    _refuse_new(named)
    wanted = {} if named.sweep is None else {each.trial.id: each for each in named.planned()}
    with named.store.locked():
        _refuse_copy(named, "retry")
        found = recover(named.store)
        adopt(named.store, found, list(wanted.values()))
        picked = [found.one(each, named.name) for each in others] or list(found.trials.values())
        for each in picked:
            if others and each.state not in AGAIN:
                what = f"{each.trial.id} is {each.state}, and is not run again"
                raise UserError(lines(what, f"see: {named.command('status')}"))
        again = [each for each in picked if each.state in AGAIN]
        chosen = [
            wanted.get(each.trial.id) or Planned(each.trial, _launch(named, each, found))
            for each in again
            if others
            or each.trial.id in wanted
            or (named.sweep is None and _is_known(each, found))  # what is no longer planned, by its name alone
        ]
        if found.torn and not others:
            chosen += [each for name, each in wanted.items() if name not in found.trials]
        numbers = queue(named, chosen, found)
        with named.store.written():
            mend(named, found)
    queued = {each.trial.id for each in chosen}
    old = [each for each in found.trials.values() if each.trial.id not in queued]
    rest = f"is no longer planned; to run it again all the same: {named.command('retry')} TRIAL ..."
    if others:
        rest = f"is left alone; to run it again: {named.command('retry')}"
    return _queued(named, chosen, numbers, old, otherwise="nothing to run again", rest=rest)


def cancel(named: Named, others: Sequence[str], *, every: bool) -> tuple[str, Any]:
    """End the jobs of this sweep; trials that run save first, and `retry` goes on with them."""
    _refuse_new(named)
    store = named.store
    with store.locked():
        _refuse_copy(named, "cancel")
        found = recover(store, unknown=True, tolerant=True)
        silent = [] if found.silent is None else [found.silent]
        if not found.identity.copied:
            silent += _end(store, found)
        over = found.live & store.over()
    ended = [each.trial.id for each in found.trials.values() if each.state in ALIVE and each.label in over]
    said: list[str] = []
    if ended:
        said.append(f"cancelled {many(len(ended))}; to go on with them: {named.command('retry')}")
    if found.unknown:
        said.append(f"cancelled {', '.join(found.unknown)}, of which no file of {named.name} tells")
    if silent:
        raise RunError(lines(*silent[0].split("\n  "), *said))
    text = "\n".join(said) or f"{named.name} has nothing in the queue"
    return text, {"cancelled": ended, "unknown": found.unknown}


def _end(store: Store, found: Sweeping) -> list[str]:
    """Have each queue that answers end the sweep's jobs; why others did not."""
    before = store.over()
    for label in found.live:  # first, so that what ends is known to have been cancelled
        store.set_over(label)
    batches = [found.batches[label] for label in found.live if label in found.batches]
    name, perhaps = ",".join(found.identity.names), found.of_queues(store)
    every = found.headless or not perhaps
    asked = of_each(batches, lambda queue: queue.cancel(name, store.jobs), every=every, perhaps=perhaps)
    for label in found.live - before:
        if asked.is_silent(found.batches.get(label)):
            store.unset_over(label)
    return [str(error) for error in asked.errors]


def queue(named: Named, chosen: list[Planned], found: Sweeping) -> dict[str, str]:
    """The queue's numbers, by the labels of the new batches."""
    if not chosen:
        return {}
    _set_aside(named, chosen, found)
    if named.sweep is not None:
        describe(named.store, named.goal, named.sweep)
        return _submit.submit(
            named.store, chosen, found, give_up=named.sweep.give_up, overrides=named.overrides, goal=named.goal
        )
    first = next(iter(found.batches.values()))
    return _submit.submit(
        named.store,
        chosen,
        found,
        give_up=first.give_up,
        function=first.function,
        source=first.source,
        goal=named.goal,
    )


def _is_known(each: Standing, found: Sweeping) -> bool:
    """Whether some file says what the trial is, and what its job needs."""
    return bool(each.trial.config and found.batches)


def _launch(named: Named, each: Standing, found: Sweeping) -> Launch:
    """What the job of a trial needs, as it was submitted; UserError where nothing says that any more."""
    if _is_known(each, found):
        return launch_of(found.batches.get(each.label) or next(iter(found.batches.values())))
    what = f"{each.trial.id} cannot be queued: no file says any more what it needs"
    folder = named.store.at(each.trial)
    raise UserError(lines(what, *map(str, found.damaged[:3]), f"to go on with it: {again(folder)}"))


def _set_aside(named: Named, chosen: list[Planned], found: Sweeping) -> None:
    """What other code left of a trial is kept beside it, and the trial begins anew."""
    code = _snapshot.digest(ROOT)
    for each in chosen:
        before = found.trials.get(each.trial.id)
        folder = named.store.at(each.trial)
        other = before.code != code if before is not None else each.trial.folder == of_trial(each.trial.id)
        if other and any(os.path.lexists(folder / name) for name in (REPORT, LOG, *BEGUN)):
            number = next(i for i in range(1, 10_000) if not folder.with_name(f"{folder.name}.{i}").exists())
            folder.rename(folder.with_name(f"{folder.name}.{number}"))


def _queued(
    named: Named, chosen: list[Planned], numbers: dict[str, str], old: list[Standing], *, otherwise: str, rest: str
) -> tuple[str, Any]:
    """otherwise: what is said where nothing is queued. rest: why those that have ended without a result are not."""
    counts = {state: sum(each.state == state for each in old) for state in ("done", *ALIVE, *AGAIN)}
    counts = {state: count for state, count in counts.items() if count}
    others = ", ".join(f"{count} {state}" for state, count in counts.items())
    told = f"queued {many(len(chosen))}: {', '.join(numbers.values())}" if chosen else otherwise
    text = lines(
        told + (f" ({others})" if others else ""),
        f"see: {named.command('status')}",
        f"{ended_so(counts)} {rest}" if counts.keys() & set(AGAIN) else None,
    )
    ids = [each.trial.id for each in chosen]
    return text, {"queued": ids, "batches": numbers, "before": counts, "folder": str(named.store.folder)}


def _refuse_new(named: Named) -> None:
    """UserError where nothing was submitted, and before anything of it is written."""
    if not is_known(named.store):
        raise named.never()


def _refuse_copy(named: Named, verb: str) -> None:
    """UserError where the folder is a copy of another, which has jobs in the queue."""
    found = identity(named.store)
    if found.copied and of_original(found):
        what = f"{named.store.folder} is a copy of {found.home}, which has jobs in the queue"
        there = f"python -m sweeps {'cancel' if verb == 'cancel' else 'status'} {shlex.quote(str(found.home))}"
        rest = None if verb == "cancel" else f"to {verb} the copy: when they are over"
        raise UserError(lines(what, f"these are that one's: {there}", rest))
