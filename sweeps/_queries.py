"""What `python -m sweeps` answers about a sweep, as text and as plain data; only `results` writes anything."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cn import CN, UserError, discover
from cn.errors import lines
from cn.record import load, unplain
from cn.screen import escaped, output
from cn.table import table
from cn.words import command as words_of
from runs._progress import last_lines
from runs._state_files import DamagedError, content
from sweeps import Sweep, _results, _table
from sweeps._mend import adopt
from sweeps._named import Named
from sweeps._preview import preview
from sweeps._standing import ALIVE, Standing, look
from sweeps._status import show
from sweeps._store import LOG, write


def every() -> tuple[str, Any]:
    """The sweeps that there are, a line each."""
    found, broken = discover.options((Sweep,))
    rows = [[name, (kind.__doc__ or "").strip().split("\n")[0]] for name, kind in found.items()]
    text = table(["sweep", "what it asks"], rows) if rows else "there is no sweep yet: a class in sweeps/ is one"
    text += "".join(f"\ncannot be used: {file}: {why}" for file, why in broken)
    data = {"sweeps": dict(rows), "broken": dict(broken)}
    return text, data


def plan(named: Named, others: Sequence[str], *, every: bool) -> tuple[str, Any]:
    """What `submit` would queue, and what it would cost; nothing is started or written."""
    planned, found = named.planned(), look(named.store)
    adopt(named.store, found, planned)
    return preview(named, planned, found, every=every)


def status(named: Named, others: Sequence[str], *, every: bool) -> tuple[str, Any]:
    """How each trial stands."""
    found = look(named.store, unknown=True)
    if not found.trials and named.sweep is not None and (named.store.folder / "trials").is_dir():
        adopt(named.store, found, named.planned())  # what its own files tell, where no batch's does
    return show(named, found, every=every)


def watch(named: Named, others: Sequence[str], *, every: bool, pause: float = 5) -> tuple[str, Any]:
    """The status, again and again, until no trial is left that may change; into a pipe goes only the last."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(file=output())
    with Live(console=console, auto_refresh=False, vertical_overflow="visible", transient=True) as live:
        while True:
            found = look(named.store, unknown=True)
            said = show(named, found, every=every)
            if not any(each.state in ALIVE for each in found.trials.values()):
                return said
            live.update(Text(escaped(said[0])), refresh=console.is_terminal)
            time.sleep(pause)


def logs(named: Named, others: Sequence[str], *, every: bool) -> tuple[str, Any]:
    """What a trial printed, of all its attempts; without a name, of the last that failed or else began."""
    each, path = _logged(named, others)
    try:
        text = (content(path) or b"").decode(errors="replace")
    except DamagedError as damaged:
        text = str(damaged)
    if not text or each.state == "failed":  # else it says more than its job does
        job = named.store.printed(each.label, each.job)
        text += "\n".join(["", str(job), *last]) if (last := last_lines(job, 30)) else ""
    head = f"{each.trial.id} {each.state}: {' '.join(each.trial.words)}"
    data = {"id": each.trial.id, "state": each.state, "reason": each.reason, "file": str(path), "text": text}
    return f"{head}\n{path}\n\n{text.rstrip()}", data


def raw_log(named: Named, others: Sequence[str]) -> bytes:
    """The bytes of the same file, and nothing else."""
    each, path = _logged(named, others)
    try:
        if (text := content(path)) is not None:
            return text
        what = f"{path} cannot be read: No such file or directory"
    except DamagedError as damaged:
        what = str(damaged)
    raise UserError(lines(what, f"what its job printed: {named.command('logs')} {each.trial.id}"))


def _logged(named: Named, others: Sequence[str]) -> tuple[Standing, Path]:
    """The trial whose log is asked for, and the file that has it."""
    found = look(named.store)
    if len(others) > 1:
        raise UserError(lines(f"one trial's log is shown, and {len(others)} are named", f"write: {others[0]} alone"))
    if others:
        each = found.one(others[0], named.name)
    else:
        begun = [each for each in found.trials.values() if each.report is not None or each.state == "failed"]
        if not begun:
            raise UserError(lines(f"no trial of {named.name} has begun", f"see: {named.command('status')}"))
        each = max(begun, key=lambda each: (each.state == "failed", each.report.started if each.report else 0))
    return each, named.store.at(each.trial) / LOG


def results(named: Named, others: Sequence[str], *, every: bool) -> tuple[str, Any]:
    """The goal of each setting over its seeds, with a csv and a picture in the sweep's folder."""
    from sweeps._picture import picture

    outcomes = _results.outcomes(named)
    rows = _results.results(outcomes, named.goal)
    folder = named.store.folder
    data = {"goal": named.goal.metric, "direction": named.goal.direction, "rows": _table.as_json(rows)}
    shown = rows if every else rows[:40]
    text = _table.table(shown, named.goal)
    if len(shown) < len(rows):
        text += f"\n... and {len(rows) - len(shown)} more: --all"
    damaged: list[str] = []
    with named.store.written():
        write(folder / "results.csv", _table.csv(rows))
        picture(outcomes, rows, named.goal, named.store.at, folder / "results.png", damaged)
    damaged += [each.reason for each in outcomes if each.state == "done" and each.reason]
    text += "".join(f"\n{each}" for each in damaged)
    data |= {"damaged": damaged, "csv": str(folder / "results.csv"), "picture": str(folder / "results.png")}
    return f"{text}\n\n{folder / 'results.csv'}\n{folder / 'results.png'}", data


def best(named: Named, others: Sequence[str], *, every: bool) -> tuple[str, Any]:
    """What the best setting came to over its seeds, and the command that repeats the best trial of it."""
    rows = _results.results(_results.outcomes(named), named.goal)
    row = _results.best(rows, named.name)
    (outcome, value), *others_of_it = row.values
    folder = named.store.at(outcome.trial)
    run = unplain(outcome.trial.config) if outcome.trial.config else load(folder)
    typed = shlex.join(["python", "train.py", *command_of(run)])
    decimals = _table.decimals_of(rows)
    own = f", the best of them: {_table.shown(value, decimals)}" if others_of_it else ""
    told = f"{named.goal.metric} {_table.measured(row, decimals)}"
    data = {
        "id": outcome.trial.id,
        "command": typed,
        "folder": str(folder),
        "goal": named.goal.metric,
        "mean": row.mean,
        "spread": row.spread,
        "count": row.count,
        "expected": row.expected,
        "value": value,
    }
    return f"{typed}\n\n{told}\ntrial {outcome.trial.id}{own}\n{folder}", data


def command_of(run: CN) -> list[str]:
    """The words that make a run, wherever it is trained and kept."""
    return [word for word in words_of(run) if not word.lstrip("+~").startswith(("launch", "folder="))]
