"""The verbs of sweeps that read a sweep, as text and as plain data; only `results` writes files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cn import program
from cn.discovery import discover
from cn.errors import UserError, lines
from cn.lazy import needs
from cn.nodes.node import CN
from cn.run_folder.progress import last_lines
from cn.run_folder.state_files import DamagedError, content
from cn.run_folder.where import field_of, says_where
from cn.run_folder.where import names as where_names
from cn.screen import escaped, output
from cn.sweeping.folder.look import look
from cn.sweeping.folder.standing import Standing
from cn.sweeping.folder.store import LOG, write
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.planning.mend import adopt
from cn.sweeping.planning.named import Named
from cn.sweeping.project import contract
from cn.sweeping.showing.status import show
from cn.table import table
from cn.writing.record import load, unplain

if TYPE_CHECKING:
    from cn.sweeping.showing.scores import Row


def every() -> tuple[str, Any]:
    """List the sweeps, one per line."""
    found, broken = discover.options((contract(),))
    rows = [[name, (kind.__doc__ or "").strip().split("\n")[0]] for name, kind in found.items()]
    text = table(["sweep", "what it asks"], rows) if rows else "there is no sweep yet: a class in sweeps/ is one"
    text += "".join(f"\ncannot be used: {file}: {why}" for file, why in broken)
    data = {"sweeps": dict(rows), "broken": dict(broken)}
    return text, data


def plan(named: Named, others: Sequence[str], *, every: bool, why: bool = False) -> tuple[str, Any]:
    """Return what `submit` would queue, and its cost; nothing is started or written.

    why: say of each new trial from which other it goes on, or why it begins at step 0.
    """
    from cn.sweeping.submitting.preview import preview

    searches = named.sweep is not None and named.sweep.search is not None  # by workers that may have no trial now
    planned, found = named.planned(), look(named.store, unknown=searches)
    planned = adopt(named.store, found, planned)
    return preview(named, planned, found, every=every, why=why)


def status(named: Named, others: Sequence[str], *, every: bool) -> tuple[str, Any]:
    """Return the state of each trial."""
    found = look(named.store, unknown=True)
    if not found.trials and named.sweep is not None and (named.store.folder / "trials").is_dir():
        adopt(named.store, found, named.planned())  # the trials' own files, if no batch file records them
    return show(named, found, every=every)


def watch(named: Named, others: Sequence[str], *, every: bool, pause: float = 5) -> tuple[str, Any]:
    """Refresh the status until no trial can change; a pipe receives only the last one."""
    needs("-w", "rich")
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(file=output())
    with Live(console=console, auto_refresh=False, vertical_overflow="visible", transient=True) as live:
        while True:
            found = look(named.store, unknown=True)
            said = show(named, found, every=every)
            if not found.searches and not any(each.state.is_alive for each in found.trials.values()):
                return said
            live.update(Text(escaped(said[0])), refresh=console.is_terminal)
            time.sleep(pause)


def logs(named: Named, others: Sequence[str], *, every: bool) -> tuple[str, Any]:
    """Return the log of a trial, with all attempts; by default of the last that failed, else of the last that began."""
    each, path = _logged(named, others)
    try:
        text = (content(path) or b"").decode(errors="replace")
    except DamagedError as damaged:
        text = str(damaged)
    if not text or each.state == TrialStatus.FAILED:  # otherwise the log says more than the job's output
        job = named.store.printed(each.label, each.job)
        text += "\n".join(["", str(job), *last]) if (last := last_lines(job, 30)) else ""
    head = f"{each.trial.id} {each.state}: {' '.join(each.trial.words)}"
    data = {"id": each.trial.id, "state": each.state, "reason": each.reason, "file": str(path), "text": text}
    return f"{head}\n{path}\n\n{text.rstrip()}", data


def raw_log(named: Named, others: Sequence[str]) -> bytes:
    """Return the bytes of the log file alone."""
    each, path = _logged(named, others)
    try:
        if (text := content(path)) is not None:
            return text
        what = f"{path} cannot be read: No such file or directory"
    except DamagedError as damaged:
        what = str(damaged)
    raise UserError(what, f"what its job printed: {named.command('logs')} {each.trial.id}")


def _logged(named: Named, others: Sequence[str]) -> tuple[Standing, Path]:
    """Return the trial whose log is requested, and the log file."""
    found = look(named.store)
    if len(others) > 1:
        raise UserError(f"one trial's log is shown, and {len(others)} are named", f"write: {others[0]} alone")
    if others:
        each = found.one(others[0], named.name)
    else:
        begun = [each for each in found.trials.values() if each.report is not None or each.state == TrialStatus.FAILED]
        if not begun:
            raise UserError(f"no trial of {named.name} has begun", f"see: {named.command('status')}")
        each = max(
            begun, key=lambda each: (each.state == TrialStatus.FAILED, each.report.started if each.report else 0)
        )
    return each, named.store.at(each.trial) / LOG


def results(named: Named, others: Sequence[str], *, every: bool) -> tuple[str, Any]:
    """Return the goal of each setting over its seeds; write a csv and a picture into the sweep's folder.

    `unwritten` of the data says why a file could not be written.
    """
    needs("the picture of results", "matplotlib")
    from cn.sweeping.showing import result_table, scores
    from cn.sweeping.showing.picture import picture

    outcomes = scores.outcomes(named)
    rows = scores.results(outcomes, named.goal)
    folder = named.store.folder
    data: dict[str, Any] = {"goal": named.goal.metric, "direction": named.goal.direction}
    data |= {"others": named.goal.others} if named.goal.others else {}
    data |= {"at_most": named.goal.at_most, "at_least": named.goal.at_least} if named.goal.limits() else {}
    data["rows"] = result_table.as_json(rows, named.goal)
    shown = rows if every else rows[:40]
    text = result_table.table(shown, named.goal)
    if len(shown) < len(rows):
        text += f"\n... and {len(rows) - len(shown)} more: --all"
    damaged: list[str] = []
    left, unwritten = [folder / "results.csv", folder / "results.png"], None
    try:
        write(left[0], result_table.csv(rows))
        del left[0]
        picture(outcomes, rows, named.goal, named.store.at, left[0], damaged, named.name)
        del left[0]
    except OSError as error:
        what = f"cannot write {' and '.join(map(str, left))}: {error.strerror or error}"
        unwritten = lines(what, f"for the numbers as data: {named.command('results')} --json")
    damaged += [each.reason for each in outcomes if each.state == TrialStatus.DONE and each.reason]
    text += "".join(f"\n{each}" for each in damaged)
    written = {"csv": folder / "results.csv", "picture": folder / "results.png"}
    data |= {"damaged": damaged, **{name: None if path in left else str(path) for name, path in written.items()}}
    data |= {"unwritten": unwritten} if unwritten is not None else {}
    paths = "\n".join(str(path) for path in written.values() if path not in left)
    return f"{text}\n\n{paths}" if paths else text, data


def best(named: Named, others: Sequence[str], *, every: bool) -> tuple[str, Any]:
    """Return the best setting's value over its seeds, and the command that repeats its best trial.

    Of several goals, return that of each setting on the Pareto front.
    """
    from cn.sweeping.showing import scores

    rows = scores.results(scores.outcomes(named), named.goal)
    text, data = best_of(named, rows)
    if not named.goal.others:
        return text, data
    front = [best_of(named, [row]) for row in rows if row.front]
    return "\n\n".join(text for text, _ in front), {**data, "front": [each for _, each in front]}


def best_of(named: Named, rows: list[Row]) -> tuple[str, Any]:
    """Return the same from the results of a sweep. UserError if no trial has a value."""
    from cn.sweeping.showing import result_table, scores

    row = scores.best(rows, named.name)
    (outcome, value), *others_of_it = row.values
    folder = named.store.at(outcome.trial)
    run = unplain(outcome.trial.config) if outcome.trial.config else load(folder)
    if named.sweep is not None:
        function = named.sweep._function_
    else:
        function = next((each.function for each in named.store.heads().values()), "train:train")
    typed = program.command(*command_of(run, outcome.trial.words), program=program.of_function(function))
    decimals = result_table.decimals_of(rows)
    own = f", the best of them: {result_table.shown(value, decimals)}" if others_of_it else ""
    told = f"{named.goal.metric} {result_table.measured(row, decimals)}"
    others = dict(zip(named.goal.others, row.means[1:], strict=True))
    limited = {each.metric: mean for each, mean in zip(named.goal.limits(), row.limited, strict=True)}
    further = {name: mean for name, mean in {**others, **limited}.items() if name != named.goal.metric}.items()
    told += "".join(f", {name} {result_table.shown(mean, result_table.decimals_for([mean]))}" for name, mean in further)
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
        **({"others": others} if others else {}),
        **({"limited": limited} if limited else {}),
    }
    return f"{typed}\n\n{told}\ntrial {outcome.trial.id}{own}\n{folder}", data


def command_of(run: CN, varied: Sequence[str] = ()) -> list[str]:
    """Return the overrides of a run, without the fields in `Run._where_`.

    varied: the words that distinguish the run within its sweep, which keep such a field if they name it.
    """
    from cn.writing.command_line import command as words_of

    kept = {field_of(word) for word in varied}.difference(("folder", "launch"))
    where = [name for name in where_names(type(run)) if name not in kept]
    return [word for word in words_of(run) if not says_where(word, where)]
