"""The table of a sweep's trials, in the order of the plan; where they are too many, of those that need a look."""

from __future__ import annotations

import datetime
import os
import shlex
import time
from collections import Counter
from itertools import islice
from typing import Any

from cn.errors import RunError, lines, short
from cn.run_folder.progress import Progress, last_lines, progress, summary, value_of, whole_summary
from cn.run_folder.state_files import DamagedError
from cn.sweeping.folder.standing import Standing, Sweeping, far
from cn.sweeping.folder.store import LOG, Trial
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.planning.named import Named
from cn.sweeping.project import verbs
from cn.table import table

ORDER = (
    TrialStatus.RUNNING,
    TrialStatus.FAILED,
    TrialStatus.DAMAGED,
    TrialStatus.WAITING,
    TrialStatus.STOPPED,
    TrialStatus.CANCELLED,
    TrialStatus.QUEUED,
    TrialStatus.NEW,
    TrialStatus.PRUNED,
    TrialStatus.DONE,
)  # by need of a look
ROWS = 40
DIFFERENCES = 4  # shown of trials with the same words


def show(named: Named, found: Sweeping, *, every: bool) -> tuple[str, dict[str, Any]]:
    """The table, and the same as plain data."""
    if not (found.trials or found.damaged or found.searched):
        text, none = str(named.never()) + _elsewhere(named, found) + _silent(found), {"counts": {}, "trials": []}
        return text, {**none, "unknown": found.unknown, "folder": str(named.store.folder)}
    trials = sorted(found.trials.values(), key=lambda each: each.trial.place)
    urgent = sorted(trials, key=lambda each: ORDER.index(each.state))
    looked = {each.trial.id for each in (trials if every else urgent[:ROWS])}
    counts = dict(Counter(each.state for each in urgent))
    codes = {each.code for each in trials if each.report is not None}
    data = [_data(named, each, tail=each.trial.id in looked) for each in trials]
    shown = [each for each in data if each["id"] in looked]
    metrics = named.goal.measured()
    header = ["trial", "state", "step", *metrics, "time", *(["code"] if len(codes) > 1 else []), "what, why"]
    more = _apart([each for each in trials if each.trial.id in looked])
    rows = [_row(each, metrics, more.get(each["id"], []), several=len(codes) > 1) for each in shown]
    text = table(header, rows)
    if len(shown) < len(data):
        text += f"\n... and {len(data) - len(shown)} more: --all"
    text += "\n\n" + (", ".join(f"{count} {state}" for state, count in counts.items()) or "no trial yet")
    text += _search(named, found)
    if not any(each["state"] == TrialStatus.DONE and each[metric] is not None for each in shown for metric in metrics):
        text += _unrecorded(named, [each for each in trials if each.trial.id in looked])
    stop, last = found.stop, list(found.batches.values())[-1:]
    if stop is not None and last and stop.holds(last[0].code, last[0].give_up):
        text += f"\nno other trial is started: {stop.count} failed with: {short(str(stop.reason))}"
        text += f"\n  when it is mended: {named.command('retry')}"
    text += _elsewhere(named, found)
    text += _silent(found)
    for each in [each for each in data if each["state"] == TrialStatus.FAILED][:1]:
        text += f"\n\nthe last lines of {each['id']}, which failed: {short(str(each['reason']))}"
        text += "".join(f"\n  {line}" for line in each["log"]) or "\n  (it printed nothing)"
    damaged = [*named.damaged, *found.damaged]
    text += "".join(f"\n{each}" for each in damaged)
    text += f"\n  to mend it: {named.command('retry')}" if damaged else ""
    extra: dict[str, Any] = {"stopped": stop and vars(stop), "silent": found.silent, "unknown": found.unknown}
    extra["folder"] = str(named.store.folder)
    if found.searched:
        invalid = [{"values": each.values, "reason": each.reason} for each in found.points if each.reason is not None]
        extra["search"] = {"asked": found.spent, "searches": found.searches, "ended": found.ended, "invalid": invalid}
    extra["damaged"] = [{"file": str(each.path), "why": each.why} for each in damaged]
    return text, {"counts": counts, "trials": data, **extra}


def _search(named: Named, found: Sweeping) -> str:
    """What is said of a search: how many points are asked, and whether workers ask for more."""
    if not found.searched:
        return ""
    search = None if named.sweep is None else named.sweep.search
    return f"\n{far(found, None if search is None else search.trials)}" + (
        "; its workers search" if found.searches else ""
    )


def _unrecorded(named: Named, trials: list[Standing]) -> str:
    """What is said of a goal that no trial has recorded, though some are done."""
    if named.guessed:
        return ""
    recorded: dict[str, Any] = {}
    for each in trials:
        if each.state == TrialStatus.DONE and each.report is not None:
            recorded |= {**told, "score": each.report.value} if (told := summary(named.store.at(each.trial))) else {}
    why = named.goal.unrecorded(recorded)
    return f"\n{why}" if why is not None else ""


def _silent(found: Sweeping) -> str:
    if found.silent is None:
        return ""
    return f"\nas far as the files tell, since the queue does not answer: {found.silent}"


def _elsewhere(named: Named, found: Sweeping) -> str:
    """What is said of jobs that no file tells of, and of a folder that is not where its jobs look for it."""
    told: list[str] = []
    home = shlex.quote(str(found.identity.home))
    if found.unknown:
        what = f"in the queue, though no file tells of it: {', '.join(found.unknown)}"
        told.append(lines(what, f"to end it: {named.command('cancel')}"))
    if found.original:
        what = f"as far as the files tell: this is a copy of {home}, and what is in the queue is that one's"
        told.append(lines(what, f"see: {verbs()} status {home}"))
    if found.identity.moved and found.live:
        what = f"this folder was {home} when its jobs were queued, where they look for it: none can go on here"
        mv = f"to have it there again: mv {shlex.quote(str(named.store.folder))} {home}"
        back = mv if not os.path.lexists(found.identity.home) else None
        told.append(
            lines(
                what,
                back,
                f"else: {named.command('cancel')}, then {named.command('retry')}",
            )
        )
    return "".join(f"\n{each}" for each in told)


def _data(named: Named, each: Standing, *, tail: bool) -> dict[str, Any]:
    """One trial; the end of its log where it failed, which costs a look at one more file."""
    folder = named.store.at(each.trial)
    metric = named.goal.metric
    far, reason, others = Progress(), each.reason, dict[str, float | None].fromkeys(named.goal.measured()[1:])
    if each.state in (TrialStatus.RUNNING, TrialStatus.WAITING, TrialStatus.PRUNED) and tail:
        try:
            far = progress(folder, metric)
            others = {name: progress(folder, name).value for name in others}
        except RunError as unread:  # one damaged file does not hide the other trials
            reason = reason or str(unread).partition("\n")[0]
    elif each.state == TrialStatus.DONE and tail:
        record: dict[str, Any] = {}
        try:
            record = whole_summary(folder)
        except DamagedError as damaged:
            reason = reason or str(damaged)
        if each.report is not None:
            record["score"] = each.report.value
        far = Progress(record.get("step"), record.get("steps"), named.goal.of(record))
        others = {name: value_of(record, name) for name in others}
    report = each.report
    seconds = None
    if report is not None:  # the clock of its machine may be ahead of this one's
        now = max(0.0, time.time() - report.started) if each.state == TrialStatus.RUNNING else 0
        seconds = report.seconds + now
    return {
        "id": each.trial.id,
        "state": each.state,
        "words": list(each.trial.words),
        "step": far.step,
        "steps": far.steps,
        metric: far.value,
        **others,
        "seconds": seconds,
        "reason": reason,
        "job": report.job if report is not None else None,
        "host": report.host if report is not None else None,
        "attempt": report.attempt if report is not None else 0,
        "status": report.status if report is not None else None,
        "code": each.code,
        "folder": str(folder),
        "log": _last(named, each) if each.state == TrialStatus.FAILED and tail else [],
    }


def _last(named: Named, each: Standing) -> list[str]:
    """What it printed last, or its job where it printed nothing itself."""
    return last_lines(named.store.at(each.trial) / LOG, 5) or last_lines(named.store.printed(each.label, each.job), 5)


def _apart(trials: list[Standing]) -> dict[str, list[str]]:
    """Return by id what sets trials with the same words apart: they were submitted with other values of the base."""
    if len({each.trial.words for each in trials}) == len(trials):
        return {}
    from cn.run_folder.differences import differences, values_in  # most sweeps do not need it
    from cn.sweeping.showing.apart import apart

    def first(alike: list[Trial]) -> dict[str, list[Any]]:
        return dict(islice(differences([values_in(each.config) for each in alike]).items(), DIFFERENCES))

    return apart([each.trial for each in trials], lambda trial: trial.words, first)


def _row(each: dict[str, Any], metrics: list[str], more: list[str], *, several: bool) -> list[str]:
    far = "" if each["step"] is None else f"{each['step']}/{each['steps'] or '?'}"
    values = ["" if each[metric] is None else _brief(each[metric]) for metric in metrics]
    spent = "" if each["seconds"] is None else str(datetime.timedelta(seconds=round(each["seconds"])))
    what = " ".join([*each["words"], *([f"({', '.join(more)})"] if more else [])])
    what += f": {short(each['reason'])}" if each["reason"] else ""
    return [each["id"], each["state"], far, *values, spent, *([each["code"]] if several else []), what]


def _brief(value: float) -> str:
    """Return a value with four digits; a whole number with all of them."""
    return f"{value:.0f}" if abs(value) < 1e9 and float(value).is_integer() else f"{value:.4g}"
