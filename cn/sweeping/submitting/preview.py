"""Preview of a submission: the number of new trials, their differences, and their maximum cost."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

from cn.errors import CNError, short
from cn.launching.queue import MOST, Queue
from cn.nodes.to_json import plain
from cn.nodes.traversal import values
from cn.run_folder.differences import ABSENT, differences, values_in
from cn.run_folder.differences import text as as_text
from cn.run_folder.state_files import DamagedError
from cn.run_folder.where import names_in, says_where
from cn.sweeping.axes import address
from cn.sweeping.folder.standing import Sweeping, ended_so, far
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.planning.named import Named
from cn.sweeping.planning.plan import Planned
from cn.sweeping.planning.sharing import Shared, share
from cn.sweeping.planning.why import reasons
from cn.sweeping.project import root_of
from cn.sweeping.search import Search
from cn.sweeping.search_space import Space
from cn.sweeping.submitting import snapshots
from cn.sweeping.submitting.submission import alike, divide, rows
from cn.sweeping.submitting.workers import Wanted, given, wanted
from cn.sweeping.sweep import Sweep
from cn.table import table

ROWS = 20


def preview(
    named: Named, planned: list[Planned], found: Sweeping, *, every: bool, why: bool
) -> tuple[str, dict[str, Any]]:
    """Return the preview as text and as plain data. why: say of each new trial from which it goes on, or why not."""
    state = {
        each.trial.id: found.trials[each.trial.id].state if each.trial.id in found.trials else TrialStatus.NEW
        for each in planned
    }
    counts = dict(Counter(state.values()))
    new = [each for each in planned if state[each.trial.id] == TrialStatus.NEW]
    code = snapshots.digest(root_of(named.sweep._function_)) if named.sweep is not None else ""
    shared = share(new, found, code) if named.sweep is not None and named.sweep.search is None else Shared(new)
    arrays, hours = cost(shared.planned)
    old = changed(named, planned, found)
    files = edited(named, planned, found, code)
    gone = [name for name in found.trials if name not in state and name not in old]
    listed = [[each.trial.id, state[each.trial.id], " ".join(each.trial.words)] for each in planned]
    shown = listed if every else listed[:ROWS]
    search = wanted(named, found) if named.sweep is not None and named.sweep.search is not None else None
    if why:
        ended = [each.trial for each in found.trials.values()]
        told = dict(
            zip(
                (each.trial.id for each in new),
                reasons(shared.planned, ended, len(new) if every else ROWS),
                strict=False,
            )
        )
        shown = [[*row, told.get(row[0], "is not new")] for row in shown]
    text = [table(["trial", "state", "what", *(["past"] if why else [])], shown)] if shown or search is None else []
    if len(shown) < len(listed):
        text.append(f"... and {len(listed) - len(shown)} more: --all")
    text += [""] if text else []
    text += [", ".join(f"{count} {each}" for each, count in counts.items()) or "no trial at all"] if text else []
    if search is not None:
        text += _of_search(named, found, search)
    if any(each.may_run_again for each in counts):
        text.append(f"{ended_so(counts)} is left alone; to run it again: {named.command('retry')}")
    if left := len(named.sweep.axes.points) - len(planned) if named.sweep is not None and search is None else 0:
        text.append(
            f"{left} of {left + len(planned)} points are left out: by keep(), or because another is the same run"
        )
    if new:
        jobs = f"{arrays} {'array' if arrays == 1 else 'arrays'}"
        jobs += f", at most {hours:g} GPU-hours" if hours is not None else ""
        text.append(f"to submit: {f'{many(len(new))} on this machine' if new[0].launch.is_here else jobs}")
    if saves := shared.described():
        text.append(saves)
    text += told_of(old, search=search is not None)
    if files:
        text.append(f"changed since: the code of trials that are not new: {short(', '.join(files))}")
    if gone:
        text.append(f"{many(len(gone))} of before: no longer planned; what was left stays in {named.store.folder}")
    text += map(str, found.damaged)
    if found.silent is not None:
        text.append(f"as far as the files tell, since the queue does not answer: {found.silent}")
    data = {
        "counts": counts,
        "arrays": arrays,
        "gpu_hours": hours,
        "changed": old,
        "edited": files,
        "gone": gone,
        "damaged": [{"file": str(each.path), "why": each.why} for each in found.damaged],
        **({"steps": shared.steps, "shared": shared.saved} if shared.saved else {}),
        **({"asked": found.spent, "points": search.points} if search is not None else {}),
        "trials": [
            {"id": row[0], "state": row[1], "words": list(each.trial.words)}
            for row, each in zip(listed, planned, strict=True)
        ],
    }
    return "\n".join(text), data


def _of_search(named: Named, found: Sweeping, search: Wanted) -> list[str]:
    """Return how far a search is, what it searches, and what a submission would start."""
    assert named.sweep is not None
    assert isinstance(named.sweep.axes, Space)
    measures = len(named.sweep.axes.points)
    sampler = named.sweep.search
    assert sampler is not None
    text = [far(found, search.points), f"{_brief(sampler)} draws points from {named.sweep.axes.described()}"]
    text += [said] if (said := given(found, sampler, search)) is not None else []
    text += search.start.said
    unless = ", unless its first seed is clearly worse than the best" if sampler.race is not None else ""
    text += [f"each point is measured {measures} times{unless}"] if measures > 1 else []
    if search.workers is not None:
        count, where = search.workers.jobs, " on this machine" if named.sweep.launch.is_here else ""
        text.append(f"to submit: {'1 worker' if count == 1 else f'{count} workers'}{where}")
        text += [f"{many(len(search.rows))} of killed or cancelled workers would go on"] if search.rows else []
    return text


def _brief(search: Search) -> str:
    """Return the source text of a search without its points."""
    own = {
        name: value
        for name, value in values(search).items()
        if name not in ("first", "start") and (name, value) != ("race", None)
    }
    return f"{type(search).__name__}({', '.join(f'{name}={value!r}' for name, value in own.items())})"


def many(count: int) -> str:
    return "1 trial" if count == 1 else f"{count} trials"


def cost(new: list[Planned]) -> tuple[int, float | None]:
    """Return the number of arrays, and GPU-hours if every job uses its time limit; None if a job has no limit."""
    arrays, hours = 0, list[float | None]()
    for launch, trials in alike(new):
        if launch.is_here:
            continue
        queue = launch.build()
        jobs = len(rows(trials, queue.pack, together=True))
        arrays += len(divide(jobs, _most(queue), queue.parallel))
        hours.append(None if launch.most_gpu_hours is None else jobs * launch.most_gpu_hours)
    known = [each for each in hours if each is not None]
    return arrays, round(sum(known, 0.0), 2) if len(known) == len(hours) else None


def _most(queue: Queue) -> int:
    """Return the maximum number of jobs in one array; MOST if the queue is not on this machine."""
    try:
        return queue.most()
    except CNError:
        return MOST


def changed(named: Named, planned: list[Planned], found: Sweeping) -> dict[str, list[str]]:
    """Return trials that were submitted with the same words but another configuration, and their differences.

    Of a search, return the trials of points that were asked when its base was another one.
    """
    if named.sweep is not None and named.sweep.search is not None:
        return _of_another_base(named.sweep, found)
    before = {each.trial.words: each for name, each in found.trials.items()}
    ids = {each.trial.id for each in planned}
    result: dict[str, list[str]] = {}
    for each in planned:
        old = before.get(each.trial.words)
        if each.trial.id not in found.trials and old is not None and old.trial.id not in ids:
            result[old.trial.id] = list(_differences(old.trial.config, each.trial.config))
    return result


def _of_another_base(sweep: Sweep, found: Sweeping) -> dict[str, list[str]]:
    now, drawn = plain(sweep.base), {address(key) for key in sweep._varied_()}
    bases = {label: batch.search["base"] for label, batch in found.batches.items() if batch.search is not None}
    told = {
        label: [each for each in _differences(base, now) if each.partition("=")[0] not in drawn]
        for label, base in bases.items()
    }
    return {trial.id: told[each.label] for each in found.points for trial in each.trials if told.get(each.label)}


def told_of(changed: dict[str, list[str]], *, search: bool) -> list[str]:
    """Return a line for each way in which trials differ from what is planned now."""
    more = ", and count as points all the same" if search else ""
    alike_ones = Counter(short(", ".join(differs)) for differs in changed.values())
    return [f"changed since: {many(count)} had {differs}{more}" for differs, count in list(alike_ones.items())[:ROWS]]


def _differences(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """Yield `optim.lr=0.1 (now 0.2)` for every value that differs, except fields in `Run._where_`."""
    where = names_in(new)
    for key, (before, now) in differences([values_in(old), values_in(new)]).items():
        if not says_where(key, where):
            told = "new" if before is ABSENT else "gone" if now is ABSENT else f"now {as_text(now)}"
            yield f"{key}={as_text(now if before is ABSENT else before)} ({told})"


def edited(named: Named, planned: list[Planned], found: Sweeping, code: str) -> list[str]:
    """Return the files that differ from the code of trials that `submit` leaves alone."""
    assert named.sweep is not None
    root = root_of(named.sweep._function_)
    codes = {found.trials[each.trial.id].code for each in planned if each.trial.id in found.trials} - {code}
    files: dict[str, None] = {}
    for snapshot in sorted({batch.snapshot for batch in found.batches.values() if batch.code in codes}):
        folder = named.store.folder / "code" / snapshot
        if os.path.lexists(folder) and not snapshots.is_whole(folder):
            found.damaged.append(DamagedError(folder, "it is not the code that was submitted any more"))
        elif folder.is_dir():
            files |= dict.fromkeys(snapshots.changes(folder, root))
    return list(files)
