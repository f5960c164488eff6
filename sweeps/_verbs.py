"""What `python -m sweeps VERB NAME` does. Each verb may be typed twice, and none needs a process that stays alive."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from cn import CN, UserError, discover
from cn.errors import hint, lines
from cn.multirun import table
from cn.record import unplain
from cn.words import command as words_of
from runs._progress import last_lines, summary
from runs.launch import Launch
from sweeps import Sweep, _results
from sweeps._named import Named, describe, find
from sweeps._plan import Planned, plan
from sweeps._preview import many, preview
from sweeps._standing import ALIVE, Standing, Sweeping, look, queue_of
from sweeps._status import show
from sweeps._store import LOG
from sweeps._submit import ROOT, recover, submit

AGAIN = ("failed", "cancelled", "stopped")  # what `retry` queues


class Said(NamedTuple):
    """What a verb tells: to a person, and as plain data."""

    text: str
    data: Any
    status: int = 0


def every() -> Said:
    """The sweeps that there are, a line each."""
    found, broken = discover.options((Sweep,))
    rows = [[name, (kind.__doc__ or "").strip().split("\n")[0]] for name, kind in found.items()]
    text = table(["sweep", "what it asks"], rows) if rows else "there is no sweep yet: a class in sweeps/ is one"
    text += "".join(f"\ncannot be used: {file}: {why}" for file, why in broken)
    data = {"sweeps": dict(rows), "broken": dict(broken)}
    return Said(text, data)


def plan_(name: str, overrides: Sequence[str], others: Sequence[str], *, every: bool) -> Said:
    """What `submit` would queue, and what it would cost; nothing is started or written."""
    named = find(name, overrides)
    planned = _planned(named)
    return Said(*preview(named, planned, look(named.store), every=every))


def submit_(name: str, overrides: Sequence[str], others: Sequence[str], *, every: bool) -> Said:
    """Queue the trials that were never submitted."""
    named = find(name, overrides)
    planned = _planned(named)
    with named.store.locked():
        found = recover(named.store)
        known = {identity for identity, each in found.trials.items() if each.state != "new"}
        chosen = [each for each in planned if each.trial.id not in known]
        numbers = _queue(named, chosen, found)
    old = [found.trials[each.trial.id] for each in planned if each.trial.id in known]
    return _queued(named, chosen, numbers, old)


def retry(name: str, overrides: Sequence[str], others: Sequence[str], *, every: bool) -> Said:
    """Queue again what has ended without a result; it goes on from its last checkpoint where the code is the same."""
    named = _begun(name, overrides)
    wanted = {} if named.sweep is None else {each.trial.id: each for each in _planned(named)}
    with named.store.locked():
        found = recover(named.store)
        picked = [_trial(found, named.name, each) for each in others] or list(found.trials.values())
        for each in picked:
            if others and each.state not in AGAIN:
                what = f"{each.trial.id} is {each.state}, and is not run again"
                raise UserError(lines(what, _see("status", named.name)))
        again = [each for each in picked if each.state in AGAIN]
        chosen = [
            wanted.get(each.trial.id) or Planned(each.trial, _launch(found, each))
            for each in again
            if others or each.trial.id in wanted or named.sweep is None  # what is no longer planned, by its name alone
        ]
        for path in ("stop.json", "failures.jsonl"):
            (named.store.folder / path).unlink(missing_ok=True)
        numbers = _queue(named, chosen, found)
    queued = {each.trial.id for each in chosen}
    old = [each for each in found.trials.values() if each.trial.id not in queued]
    return _queued(named, chosen, numbers, old, nothing="nothing to run again")


def status(name: str, overrides: Sequence[str], others: Sequence[str], *, every: bool) -> Said:
    """How each trial stands."""
    named = find(name, overrides)
    return Said(*show(named, look(named.store), every=every))


def watch(name: str, overrides: Sequence[str], *, every: bool, pause: float = 5) -> int:
    """The status, again and again, until no trial is left that may change; into a pipe goes only the last."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    named = find(name, overrides)
    console = Console()
    with Live(console=console, auto_refresh=False, vertical_overflow="visible", transient=True) as live:
        while True:
            found = look(named.store)
            text = show(named, found, every=every)[0]
            if not any(each.state in ALIVE for each in found.trials.values()):
                break
            live.update(Text(text), refresh=console.is_terminal)
            time.sleep(pause)
    print(text)
    return 0


def logs(name: str, overrides: Sequence[str], others: Sequence[str], *, every: bool) -> Said:
    """What a trial printed, of all its attempts; without a name, of the last that failed or else began."""
    named = find(name, overrides)
    found = look(named.store)
    if len(others) > 1:
        raise UserError(lines(f"one trial's log is shown, and {len(others)} are named", f"write: {others[0]} alone"))
    if others:
        each = _trial(found, named.name, others[0])
    else:
        begun = [each for each in found.trials.values() if each.report is not None]
        if not begun:
            raise UserError(lines(f"no trial of {named.name} has begun", _see("status", named.name)))
        each = max(begun, key=lambda each: (each.state == "failed", each.report.started if each.report else 0))
    path = named.store.at(each.trial) / LOG
    text = path.read_text(errors="replace") if path.exists() else ""
    job = job_log(named, each)
    text += job if job and (not text or each.state == "failed") else ""
    head = f"{each.trial.id} {each.state}: {' '.join(each.trial.words)}"
    data = {"id": each.trial.id, "state": each.state, "reason": each.reason, "file": str(path), "text": text}
    return Said(f"{head}\n{path}\n\n{text.rstrip()}", data)


def cancel(name: str, overrides: Sequence[str], others: Sequence[str], *, every: bool) -> Said:
    """End the jobs of this sweep; trials that run save first, and `retry` goes on with them."""
    named = _begun(name, overrides)
    with named.store.locked():
        found = recover(named.store)
        for label in found.live:  # first, so that what ends is known to have been cancelled
            named.store.set_over(label)
        queues = {type(queue): queue for queue in map(queue_of, (found.batches[label] for label in found.live))}
        for queue in queues.values():
            queue.cancel(named.store.name, named.store.jobs)
    ended = [each.trial.id for each in found.trials.values() if each.state in ALIVE]
    said = f"cancelled {many(len(ended))}; to go on with them: python -m sweeps retry {named.name}"
    return Said(said if ended else f"{named.name} has nothing in the queue", {"cancelled": ended})


def results(name: str, overrides: Sequence[str], others: Sequence[str], *, every: bool) -> Said:
    """The goal of each setting over its seeds, with a csv and a picture in the sweep's folder."""
    from sweeps._picture import picture

    named = find(name, overrides)
    outcomes = outcomes_of(named)
    rows = _results.results(outcomes, named.goal)
    folder = named.store.folder
    data = {"goal": named.goal.metric, "direction": named.goal.direction, "rows": _results.as_json(rows)}
    shown = rows if every else rows[:40]
    text = _results.table(shown, named.goal)
    if len(shown) < len(rows):
        text += f"\n... and {len(rows) - len(shown)} more: --all"
    with named.store.written():
        (folder / "results.csv").write_text(_results.csv(rows))
        picture(outcomes, rows, named.goal, named.store.at, folder / "results.png")
    data |= {"csv": str(folder / "results.csv"), "picture": str(folder / "results.png")}
    return Said(f"{text}\n\n{folder / 'results.csv'}\n{folder / 'results.png'}", data)


def best(name: str, overrides: Sequence[str], others: Sequence[str], *, every: bool) -> Said:
    """The command that repeats the best trial."""
    named = find(name, overrides)
    outcome = _results.best(_results.results(outcomes_of(named), named.goal), named.name)
    folder = named.store.at(outcome.trial)
    value = named.goal.of(outcome.summary)
    typed = shlex.join(["python", "train.py", *command_of(unplain(outcome.trial.config))])
    data = {"id": outcome.trial.id, "command": typed, "folder": str(folder), named.goal.metric: value}
    return Said(f"{typed}\n\n{named.goal.metric} {value:.6g}, trial {outcome.trial.id}\n{folder}", data)


VERBS: dict[str, Callable[..., Said]] = {
    "plan": plan_,
    "submit": submit_,
    "status": status,
    "logs": logs,
    "cancel": cancel,
    "retry": retry,
    "results": results,
    "best": best,
}


def command_of(run: CN) -> list[str]:
    """The words that make a run, wherever it is trained and kept."""
    return [word for word in words_of(run) if not word.lstrip("+~").startswith(("launch", "folder="))]


def outcomes_of(named: Named) -> list[_results.Outcome]:
    """What every submitted trial has come to; of a class, those that it plans now."""
    found = look(named.store).trials
    if named.sweep is not None:
        planned = [each.trial.id for each in _planned(named)]
        found = {name: found[name] for name in planned if name in found}
    if not found:
        raise UserError(lines(f"nothing of {named.name} was submitted", f"write: python -m sweeps submit {named.name}"))
    outcomes: list[_results.Outcome] = []
    for each in found.values():
        recorded = summary(named.store.at(each.trial)) if each.report is not None else {}
        if each.report is not None and each.report.value is not None:
            recorded = {**recorded, "score": each.report.value}
        code = each.code if each.report is not None else None
        outcomes.append(_results.Outcome(each.trial, each.state, each.reason, recorded, code))
    return outcomes


def job_log(named: Named, each: Standing) -> str:
    """What the job itself printed, where that says more than the trial does."""
    folder = named.store.jobs / each.label
    own = folder / f"{each.job}.out"
    path = own if own.exists() else folder / "0.out"  # on this machine one process is all of a batch's jobs
    text = "\n".join(last_lines(path, 30))
    return f"\n{path}\n{text}" if text else ""


def _begun(name: str, overrides: Sequence[str]) -> Named:
    """A sweep of which something was submitted."""
    named = find(name, overrides)
    if not named.store.labels():
        raise UserError(lines(f"nothing of {named.name} was submitted", f"write: python -m sweeps submit {named.name}"))
    return named


def _planned(named: Named) -> list[Planned]:
    if named.sweep is None:
        what = f"{named.name} is the folder of a sweep that has no class, so there is nothing to plan"
        raise UserError(lines(what, f"to run again what failed: python -m sweeps retry {named.name}"))
    if len(named.sweep.axes.points) < 2000 or not sys.stderr.isatty():
        return plan(named.sweep)
    from rich.progress import Progress

    with Progress(transient=True, console=_stderr()) as bar:
        task = bar.add_task("plan", total=len(named.sweep.axes.points))
        return plan(named.sweep, lambda done, count: None if done % 200 else bar.update(task, completed=done))


def _stderr() -> Any:
    from rich.console import Console

    return Console(stderr=True)


def _queue(named: Named, chosen: list[Planned], found: Sweeping) -> dict[str, str]:
    if not chosen:
        return {}
    describe(named.store, named.goal, named.sweep)
    give_up = named.sweep.give_up if named.sweep is not None else next(iter(found.batches.values())).give_up
    batch = next(iter(found.batches.values()), None)
    function = {"function": batch.function, "source": batch.source} if batch and named.sweep is None else {}
    _set_aside(named, chosen, found)
    return submit(named.store, chosen, found, give_up=give_up, **function)


def _set_aside(named: Named, chosen: list[Planned], found: Sweeping) -> None:
    """What other code left of a trial is kept beside it, and the trial begins anew."""
    from sweeps._snapshot import digest

    code = digest(ROOT)
    for each in chosen:
        before = found.trials.get(each.trial.id)
        folder = named.store.at(each.trial)
        if before is not None and before.report is not None and before.code != code and folder.exists():
            number = next(i for i in range(1, 10_000) if not folder.with_name(f"{folder.name}.{i}").exists())
            folder.rename(folder.with_name(f"{folder.name}.{number}"))


def _queued(
    named: Named,
    chosen: list[Planned],
    numbers: dict[str, str],
    old: list[Standing],
    *,
    nothing: str = "nothing new to queue",
) -> Said:
    counts = {
        state: sum(each.state == state for each in old) for state in ("done", "running", "waiting", "queued", *AGAIN)
    }
    counts = {state: count for state, count in counts.items() if count}
    rest = ", ".join(f"{count} {state}" for state, count in counts.items())
    jobs = f"queued {many(len(chosen))}: {', '.join(numbers.values())}" if chosen else nothing
    told = [jobs + (f" ({rest})" if rest else ""), f"see: python -m sweeps status {named.name}"]
    if any(state in counts for state in AGAIN):
        told.append(f"to run again what failed: python -m sweeps retry {named.name}")
    ids = [each.trial.id for each in chosen]
    return Said(
        "\n  ".join(told), {"queued": ids, "batches": numbers, "before": counts, "folder": str(named.store.folder)}
    )


def _launch(found: Sweeping, each: Standing) -> Launch:
    launch = unplain(found.batches[each.label].launch)
    assert isinstance(launch, Launch)
    return launch


def _trial(found: Sweeping, name: str, word: str) -> Standing:
    """The trial that a word is the beginning of."""
    fitting = [each for identity, each in found.trials.items() if identity.startswith(word)]
    if len(fitting) == 1:
        return fitting[0]
    what = (
        f"no trial of {name} is called {word!r}"
        if not fitting
        else f"{len(fitting)} trials of {name} begin with {word!r}"
    )
    raise UserError(lines(what, hint(word, found.trials), _see("status", name)))


def _see(verb: str, name: str) -> str:
    return f"see: python -m sweeps {verb} {name}"
