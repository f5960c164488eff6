"""What a submission would do: how many trials are new, what they differ in, and what they may cost."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

from cn import CNError
from cn.errors import short
from cn.table import table
from runs._state_files import DamagedError
from runs.launch._queue import MOST
from runs.launch.slurm import Slurm
from sweeps import _snapshot
from sweeps._named import Named
from sweeps._plan import APART, Planned
from sweeps._standing import AGAIN, Sweeping, ended_so
from sweeps._submit import ROOT, alike, divide

ROWS = 20


def preview(named: Named, planned: list[Planned], found: Sweeping, *, every: bool) -> tuple[str, dict[str, Any]]:
    """The text, and the same as plain data."""
    state = {
        each.trial.id: found.trials[each.trial.id].state if each.trial.id in found.trials else "new" for each in planned
    }
    counts = dict(Counter(state.values()))
    new = [each for each in planned if state[each.trial.id] == "new"]
    arrays, hours = cost(new)
    old = changed(planned, found)
    files = edited(named, planned, found)
    gone = [name for name in found.trials if name not in state and name not in old]
    rows = [[each.trial.id, state[each.trial.id], " ".join(each.trial.words)] for each in planned]
    shown = rows if every else rows[:ROWS]
    text = [table(["trial", "state", "what"], shown)]
    if len(shown) < len(rows):
        text.append(f"... and {len(rows) - len(shown)} more: --all")
    text.append("")
    text.append(", ".join(f"{count} {each}" for each, count in counts.items()) or "no trial at all")
    if counts.keys() & set(AGAIN):
        text.append(f"{ended_so(counts)} is left alone; to run it again: {named.command('retry')}")
    if left := len(named.sweep.axes.points) - len(planned) if named.sweep is not None else 0:
        text.append(
            f"{left} of {left + len(planned)} points are left out: by keep(), or because another is the same run"
        )
    if new:
        cluster = isinstance(new[0].launch, Slurm)
        text.append(
            f"to submit: {arrays} {'array' if arrays == 1 else 'arrays'}, at most {hours:g} GPU-hours"
            if cluster
            else f"to submit: {many(len(new))} on this machine"
        )
    alike_ones = Counter(short(", ".join(differs)) for differs in old.values())
    for differs, count in list(alike_ones.items())[:ROWS]:
        text.append(f"changed since: {many(count)} had {differs}")
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
        "trials": [
            {"id": row[0], "state": row[1], "words": list(each.trial.words)}
            for row, each in zip(rows, planned, strict=True)
        ],
    }
    return "\n".join(text), data


def many(count: int) -> str:
    return "1 trial" if count == 1 else f"{count} trials"


def cost(new: list[Planned]) -> tuple[int, float]:
    """Arrays, and GPU-hours if every job runs to its time limit."""
    arrays, hours = 0, 0.0
    for launch, trials in alike(new):
        if isinstance(launch, Slurm):
            jobs = -(-len(trials) // launch.pack)
            arrays += len(divide(jobs, _most(launch), launch.parallel))
            hours += jobs * launch.nodes * launch.gpus * launch.hours
    return arrays, round(hours, 2)


def _most(launch: Slurm) -> int:
    """Jobs in one array; as many as a folder may hold files, where SLURM is not here to say."""
    try:
        return launch.build().most()
    except CNError:
        return MOST


def changed(planned: list[Planned], found: Sweeping) -> dict[str, list[str]]:
    """Trials that were submitted with the same words, and were another run then: what it had that differs now."""
    before = {each.trial.words: each for name, each in found.trials.items()}
    ids = {each.trial.id for each in planned}
    result: dict[str, list[str]] = {}
    for each in planned:
        old = before.get(each.trial.words)
        if each.trial.id not in found.trials and old is not None and old.trial.id not in ids:
            result[old.trial.id] = list(differences(old.trial.config, each.trial.config))
    return result


def differences(old: dict[str, Any], new: dict[str, Any], at: str = "") -> list[str]:
    """`optim.lr=0.1 (now 0.2)` for every value that two configurations do not share."""
    found: list[str] = []
    for key in dict.fromkeys([*old, *new]):
        a, b = old.get(key), new.get(key)
        if (key in APART and not at) or a == b or key == "_derived_":
            continue
        if isinstance(a, dict) and isinstance(b, dict):
            found += differences(a, b, f"{at}{key}.")
        else:
            found.append(f"{at}{key}={a} (now {b})")
    return found


def edited(named: Named, planned: list[Planned], found: Sweeping) -> list[str]:
    """Files that differ from the code that trials ran which are not to be run again."""
    now = _snapshot.digest(ROOT)
    codes = {found.trials[each.trial.id].code for each in planned if each.trial.id in found.trials} - {now}
    files: dict[str, None] = {}
    for snapshot in sorted({batch.snapshot for batch in found.batches.values() if batch.code in codes}):
        folder = named.store.folder / "code" / snapshot
        if os.path.lexists(folder) and not _snapshot.is_whole(folder):
            found.damaged.append(DamagedError(folder, "it is not the code that was submitted any more"))
        elif folder.is_dir():
            files |= dict.fromkeys(_snapshot.changes(folder, ROOT))
    return list(files)
