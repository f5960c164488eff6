"""The verbs that change a sweep: `submit`, `retry`, `cancel`. Each is idempotent, and no process stays behind."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from cn.errors import RunError, UserError, lines, short
from cn.launching.launch import Launch
from cn.launching.shared import libraries
from cn.run_folder.folder import again
from cn.sweeping.folder.identity import is_known
from cn.sweeping.folder.points import Points
from cn.sweeping.folder.queues import launch_of, of_each
from cn.sweeping.folder.standing import Standing, Sweeping, ended_so, far
from cn.sweeping.folder.store import BEGUN, LOG, REPORT, Store, of_trial
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.planning.mend import adopt, forget_failures, mend
from cn.sweeping.planning.named import Named, describe
from cn.sweeping.planning.plan import Planned
from cn.sweeping.planning.sharing import Shared, share
from cn.sweeping.project import root_of
from cn.sweeping.submitting import snapshots, submission
from cn.sweeping.submitting.ending import ending, refuse_copy, settled
from cn.sweeping.submitting.preview import changed, many, told_of
from cn.sweeping.submitting.submission import Workers, copy_code, recover
from cn.sweeping.submitting.workers import given, wanted


def submit(named: Named, others: Sequence[str], *, every: bool) -> tuple[str, Any]:
    """Queue the trials that were never submitted; of a search, the workers that ask for them."""
    if named.sweep is not None and named.sweep.search is not None:
        return _submit_search(named)
    planned = named.planned()
    with named.store.locked():
        refuse_copy(named, "submit")
        found = recover(named.store)
        planned = adopt(named.store, found, planned)
        known = {identity for identity, each in found.trials.items() if each.state != TrialStatus.NEW}
        chosen = [each for each in planned if each.trial.id not in known]
        numbers, shared = queue(named, chosen, found)
    old = [found.trials[each.trial.id] for each in planned if each.trial.id in known]
    rest = f"is left alone; to run it again: {named.command('retry')}"
    nothing = "nothing new to queue" if planned else "nothing to queue: keep() leaves out every point"
    left = ending(named.store, found)
    return _queued(named, chosen, numbers, old, otherwise=nothing, rest=rest, shared=shared, left=left)


def _submit_search(named: Named) -> tuple[str, Any]:
    """Queue the workers of a search, with the trials that killed or cancelled workers left."""
    with settled(named, "submit", search=True) as found:
        more = wanted(named, found)
        if found.stop is not None and named.sweep is not None and (more.workers is not None or more.rows):
            code = snapshots.digest(root_of(named.sweep._function_))
            _refuse_stopped(named, found, code, named.sweep.give_up)  # before anything is written
        if more.workers is not None:
            with named.store.written():
                Points(named.store).set_ended(None)
                Points(named.store).set_start(more.start.points)
        numbers, _ = queue(named, more.rows, found, search=more.workers)
    going = {each.trial.id for each in more.rows}
    old = [each for each in found.trials.values() if each.trial.id not in going]
    counts = _counts(old)
    jobs = 0 if more.workers is None else more.workers.jobs
    text = f"queued {'1 worker' if jobs == 1 else f'{jobs} workers'}: {', '.join(numbers.values())}"
    if not jobs:
        text = "nothing new to queue" + (": its workers search" if found.live else "")
    said = lines(
        text + _listed(counts),
        far(found, more.points) if found.spent else None,
        *told_of(changed(named, [], found), search=True),
        None if named.sweep is None or named.sweep.search is None else given(found, named.sweep.search, more),
        *more.start.said,
        f"{many(len(going))} of killed or cancelled workers {'goes' if len(going) == 1 else 'go'} on"
        if going
        else None,
        f"see: {named.command('status')}",
        f"{ended_so(counts)} is left alone; to run it again: {named.command('retry')}"
        if any(each.may_run_again for each in counts)
        else None,
    )
    data = {"queued": sorted(going), "batches": numbers, "before": counts, "folder": str(named.store.folder)}
    return said, {**data, "workers": jobs, "asked": found.spent, "points": more.points, "told": len(more.start.points)}


def retry(named: Named, others: Sequence[str], *, every: bool, pruned: bool = False) -> tuple[str, Any]:
    """Queue trials again that ended without a result; with unchanged code, a trial resumes from its last checkpoint.

    pruned: those that were pruned too. They are not pruned again.
    """
    _refuse_new(named)
    planned = [] if named.sweep is None else named.planned()
    with settled(named, "retry", others) as found:
        wanted = {each.trial.id: each for each in adopt(named.store, found, planned)}
        picked = [found.one(each, named.name) for each in others] or list(found.trials.values())
        for each in picked:
            if others and not _may_run_again(each, pruned):
                what = f"{each.trial.id} is {each.state}, and is not run again"
                see = f"see: {named.command('status')}"
                on = f"to go on with it: {named.command('retry')} {each.trial.id} --pruned"
                raise UserError(what, on if each.state == TrialStatus.PRUNED else see)
        again = [each for each in picked if _may_run_again(each, pruned)]
        chosen = [
            wanted.get(each.trial.id) or Planned(each.trial, _launch(named, each, found))
            for each in again
            if others
            or each.trial.id in wanted
            or (named.sweep is None and _is_known(each, found))  # no longer planned: only if named
        ]
        if found.torn and not others:
            chosen += [each for name, each in wanted.items() if name not in found.trials]
        with named.store.written():  # first, since a job may begin at once
            forget_failures(named.store)
        found.stop = None
        numbers, shared = queue(named, chosen, found)
        with named.store.written():
            mend(named, found)
    queued = {each.trial.id for each in chosen}
    old = [each for each in found.trials.values() if each.trial.id not in queued]
    rest = f"is no longer planned; to run it again all the same: {named.command('retry')} TRIAL ..."
    if others:
        rest = f"is left alone; to run it again: {named.command('retry')}"
    return _queued(named, chosen, numbers, old, otherwise="nothing to run again", rest=rest, shared=shared)


def _may_run_again(each: Standing, pruned: bool) -> bool:
    return each.state.may_run_again or (pruned and each.state == TrialStatus.PRUNED)


def cancel(named: Named, others: Sequence[str], *, every: bool) -> tuple[str, Any]:
    """Cancel the jobs of this sweep; running trials save a checkpoint first, and `retry` resumes them."""
    _refuse_new(named)
    store = named.store
    with store.locked():
        refuse_copy(named, "cancel")
        found = recover(store, unknown=True, tolerant=True)
        silent = [] if found.silent is None else [found.silent]
        if not found.identity.copied:
            silent += _end(store, found)
        over = found.live & store.over()
    ended = [each.trial.id for each in found.trials.values() if each.state.is_alive and each.label in over]
    said: list[str] = []
    if ended:
        said.append(f"cancelled {many(len(ended))}; to go on with them: {named.command('retry')}")
    if found.unknown:
        said.append(f"cancelled {', '.join(found.unknown)}, of which no file of {named.name} tells")
    if silent:
        raise RunError(*silent[0].split("\n  "), *said)
    text = "\n".join(said) or f"{named.name} has nothing in the queue"
    return text, {"cancelled": ended, "unknown": found.unknown}


def _end(store: Store, found: Sweeping) -> list[str]:
    """Cancel the sweep's jobs in each queue that answers; return the errors of the others."""
    before = store.over()
    for label in found.live:  # written first, so that their end is recorded as a cancellation
        store.set_over(label)
    batches = [found.batches[label] for label in found.live if label in found.batches]
    name, perhaps = ",".join(found.identity.names), found.of_queues(store)
    every = found.headless or not perhaps
    asked = of_each(batches, lambda queue: queue.cancel(name, store.jobs), every=every, perhaps=perhaps)
    for label in found.live - before:
        if asked.is_silent(found.batches.get(label)):
            store.unset_over(label)
    return [str(error) for error in asked.errors]


def queue(
    named: Named, chosen: list[Planned], found: Sweeping, *, search: Workers | None = None
) -> tuple[dict[str, str], str | None]:
    """Queue the trials and the workers; return the queue's job numbers by the labels of the new batches, and what the
    trials share.
    """
    if not chosen and search is None:
        return {}, None
    store, sweep = named.store, named.sweep
    if sweep is not None:
        needed = libraries(type(sweep.base))
        called, give_up = copy_code(store, sweep._function_, sweep._makes_folder_, needed, None), sweep.give_up
    else:
        first = next(iter(found.batches.values()))
        called = copy_code(store, first.function, first.makes_folder, first.libraries, first.source)
        give_up = first.give_up
    code = called.snapshot.partition("-")[0]
    _refuse_stopped(named, found, code, give_up)
    _set_aside(store, chosen, found, code)
    shared = Shared(chosen)
    if sweep is not None and sweep.search is None:
        shared = share(chosen, found, code)
    if sweep is not None:
        describe(store, named.goal, sweep)
    more = {"give_up": give_up, "overrides": named.overrides, "goal": named.goal, "search": search}
    return submission.submit(store, shared.planned, found, called, **more), shared.described()


def _refuse_stopped(named: Named, found: Sweeping, code: str, give_up: int | None) -> None:
    """Raise UserError if so many trials of this code failed alike that no other would start."""
    if (stop := found.stop) is not None and stop.holds(code, give_up):
        what = f"no trial would start: {stop.count} failed with: {short(str(stop.reason))}"
        run_again = f"if it is mended elsewhere than in the code: {named.command('retry')}"
        raise UserError(what, run_again, f"to start others all the same: {named.command('submit')} give_up=null")


def _is_known(each: Standing, found: Sweeping) -> bool:
    """Return whether the files record the trial's configuration and its job's launch."""
    return bool(each.trial.config and found.batches)


def _launch(named: Named, each: Standing, found: Sweeping) -> Launch:
    """Return the launch of a trial's job as submitted; UserError if no file records it."""
    if _is_known(each, found):
        return launch_of(found.batches.get(each.label) or next(iter(found.batches.values())))
    what = f"{each.trial.id} cannot be queued: no file says any more what it needs"
    folder = named.store.at(each.trial)
    raise UserError(what, *map(str, found.damaged[:3]), f"to go on with it: {again(folder)}")


def _set_aside(store: Store, chosen: list[Planned], found: Sweeping, code: str) -> None:
    """Rename the folders of trials that other code ran, so that the trials start anew."""
    for each in chosen:
        before = found.trials.get(each.trial.id)
        folder = store.at(each.trial)
        other = before.code != code if before is not None else each.trial.folder == of_trial(each.trial.id)
        if other and any(os.path.lexists(folder / name) for name in (REPORT, LOG, *BEGUN)):
            number = next(i for i in range(1, 10_000) if not folder.with_name(f"{folder.name}.{i}").exists())
            folder.rename(folder.with_name(f"{folder.name}.{number}"))


def _queued(
    named: Named,
    chosen: list[Planned],
    numbers: dict[str, str],
    old: list[Standing],
    *,
    otherwise: str,
    rest: str,
    shared: str | None,
    left: Sequence[str] = (),
) -> tuple[str, Any]:
    """Say what was queued.

    otherwise: the text if nothing is. rest: why trials that ended without a result are not. shared: what trials share.
    left: the trials that were cancelled, and have not ended yet.
    """
    counts = _counts(old)
    what = f"queued {many(len(chosen))}: {', '.join(numbers.values())}" if chosen else otherwise
    text = lines(
        what + _listed(counts),
        shared,
        f"see: {named.command('status')}",
        f"{ended_so(counts)} {rest}" if any(each.may_run_again for each in counts) else None,
        f"what was cancelled has not ended yet; to go on with it: {named.command('retry')}" if left else None,
    )
    ids = [each.trial.id for each in chosen]
    return text, {"queued": ids, "batches": numbers, "before": counts, "folder": str(named.store.folder)}


def _counts(old: list[Standing]) -> dict[TrialStatus, int]:
    """Return the number of trials in each state but the new ones."""
    counts = {state: sum(each.state == state for each in old) for state in TrialStatus if state != TrialStatus.NEW}
    return {state: count for state, count in counts.items() if count}


def _listed(counts: dict[TrialStatus, int]) -> str:
    return f" ({', '.join(f'{count} {state}' for state, count in counts.items())})" if counts else ""


def _refuse_new(named: Named) -> None:
    """Raise UserError if nothing was submitted, before any file is written."""
    if not is_known(named.store):
        raise named.never()
