"""The report of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cn.errors import UserError
from cn.report.content import Content, Entry, content, curve
from cn.report.page import write
from cn.run_folder.differences import values_in
from cn.run_folder.where import names_in
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.planning.named import Named
from cn.sweeping.showing import result_table, scores
from cn.sweeping.showing.queries import best_of


def report(named: Named, others: Sequence[str], *, every: bool) -> tuple[str, Any]:
    """Write report.html into the sweep's folder. UserError if nothing of the sweep was submitted."""
    found = of_sweep(named)
    path = write(found, named.store.folder / "report.html")
    return str(path), {"report": str(path), **found.plain()}


def of_sweep(named: Named) -> Content:
    """Return the content of a sweep's report. UserError if nothing of it was submitted."""
    store, goal = named.store, named.goal
    outcomes = scores.outcomes(named)
    entries: list[Entry] = []
    for each in outcomes:
        folder = store.at(each.trial)
        entries.append(
            Entry(
                name=each.trial.id,
                state=str(each.state),
                folder=str(folder),
                values=values_in(each.trial.config) if each.trial.config else {},
                goal=goal.of(each.summary) if each.state == TrialStatus.DONE else None,
                seconds=each.summary.get("seconds"),
                curve=curve(folder / "metrics.jsonl", goal.metric),
                reason=each.reason,
                others=tuple(one.of(each.summary) for one in goal.each()[1:]) if each.state == TrialStatus.DONE else (),
                limited=tuple(one.of(each.summary) for one in goal.limits()),
                beyond=goal.is_beyond(each.summary),
                order=float("inf") if each.started is None else each.started,
            )
        )
    commands = {"made by": named.command("submit") if named.sweep is not None else named.command("retry")}
    compared: list[dict[str, Any]] = []
    try:
        rows = scores.results(outcomes, goal)
        commands = {"repeats the best": best_of(named, rows)[1]["command"], **commands}
        settings = [_setting(row) for row in rows if row.count > 1]
        if goal.others:
            commands = {"repeats the first of the front": commands.pop("repeats the best"), **commands}
            compared = [_compared(row) for row in rows if row.values]
    except UserError:  # nothing has a result yet, or nothing is within the limits
        settings = []
    apart = {name for each in outcomes[:1] if each.trial.config for name in names_in(each.trial.config)}
    return content(
        named.name,
        goal.metric,
        goal.direction,
        entries,
        apart=tuple(apart),
        commands=commands,
        settings=settings,
        others=dict(goal.others),
        limits=[each.described() for each in goal.limits()],
        compared=compared,
    )


def _setting(row: scores.Row) -> dict[str, Any]:
    """Return the mean and the spread of a setting that several seeds have measured."""
    values = [value for _, value in row.values]
    return {"what": _what(row), "mean": row.mean, "spread": row.spread, "values": values}


def _compared(row: scores.Row) -> dict[str, Any]:
    """Return a setting: its trials, its mean for each goal, and whether it is on the front and within the limits."""
    names = [each.trial.id for each, _ in row.values]
    return {"what": _what(row), "names": names, "means": list(row.means), "front": row.front, "within": row.within}


def _what(row: scores.Row) -> str:
    return " ".join(f"{key}={value}" for key, value in result_table.assigned(row.words).items()) or "the base"
