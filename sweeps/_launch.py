"""What train.py does with the runs that were asked for: one here is run; all others are a sweep without a name."""

from __future__ import annotations

import datetime
import shlex
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cn import CNError, Job, RunError, UserError
from cn.errors import lines
from cn.main import Asked
from cn.multirun import asked_for, first_of_each, refuse_failed, results_table
from cn.screen import say
from runs.launch.local import Local
from runs.launch.slurm import Slurm
from sweeps import maximize

if TYPE_CHECKING:
    from sweeps._plan import Planned
    from sweeps._standing import Standing
    from sweeps._store import Store

SCORE = maximize("score")  # the goal of a sweep without a name


def launch(function: Callable[[Any, Job], Any], asked: list[Asked]) -> None:
    """Train each run where its `launch` says: here, and wait; or as jobs of a cluster, and return."""
    if len(asked) == 1 and not asked[0].job.group and isinstance(asked[0].run.launch, Local):
        run, job = asked[0].run, asked[0].job
        if run.launch.gpus == 1:
            function(run, job)
            return
        from runs.launch._processes import start

        start(function, run, job, count=run.launch.gpus)
        return
    from runs._meeting import which

    if which().size > 1:
        raise UserError(lines("these processes are those of one run, here", "leave out: -m and launch=..."))
    kinds = {isinstance(each.run.launch, Local) for each in asked}
    if len(kinds) > 1:
        raise UserError(lines("launch=local and others do not go together in one -m", "write: two commands"))
    processes = sorted({each.run.launch.gpus for each in asked if isinstance(each.run.launch, Local)})
    if len(processes) > 1:
        what = f"runs of {' and '.join(map(str, processes))} processes do not go together in one -m"
        raise UserError(lines(what, f"write: {len(processes)} commands, each with one launch.gpus=NUMBER"))
    from runs._asked import asked as refuse

    for each in asked:
        refuse(each.run, each.job)
    asked = _distinct(asked)
    store, planned = _unnamed(asked)
    if kinds == {True}:
        _here(function, asked, store, planned)
    else:
        _away(function, asked, store, planned)


def _distinct(asked: list[Asked]) -> list[Asked]:
    """Those that are not the same run as one before, as in a sweep with a name; in another folder it is another."""
    from cn.record import plain
    from sweeps._plan import identity

    runs = [f"{identity(each.run, plain(each.run))} {each.run.folder}" for each in asked]
    return [asked[place] for place in first_of_each(runs, asked_for(asked))]


def _unnamed(asked: list[Asked]) -> tuple[Store, list[Planned]]:
    """A new folder in outputs/, and the trials that are to lie in it."""
    from cn.record import plain
    from runs._folder import OUTPUTS, fresh, name_of
    from sweeps._goal import of_task
    from sweeps._named import describe
    from sweeps._plan import Planned, apart, identity
    from sweeps._store import Store, Trial, of_trial

    group = asked[0].job.group or datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    seen: Counter[str] = Counter()
    planned: list[Planned] = []
    for place, each in enumerate(asked):
        config = plain(each.run)
        names = identity(each.run, config), name_of(each.job.overrides) or "default"
        seen.update(names)  # one run in several folders, and words that differ in quotes alone
        key, named = (one if seen[one] == 1 else f"{one}_{seen[one]}" for one in names)
        if len(asked) > 900:  # more than a folder should hold
            named = of_trial(key)
        folder = str(each.run.folder.absolute()) if each.run.folder else named
        trial = Trial(key, each.varied or each.job.overrides, config, folder, each.job.overrides, place)
        planned.append(Planned(trial, each.run.launch))
    apart(planned)
    try:
        store = Store(fresh(OUTPUTS / group))
    except OSError as error:
        raise RunError(f"cannot make a run folder: {error}") from None
    describe(store, of_task(asked[0].run, "score"), None)
    return store, planned


def _here(function: Callable[[Any, Job], Any], asked: list[Asked], store: Store, planned: list[Planned]) -> None:
    """On this machine, while the command waits; a table at the end."""
    from sweeps._submit import for_now

    source = asked[0].job.source
    launch = Local(
        parallel=max(each.run.launch.parallel for each in asked), gpus=max(each.run.launch.gpus for each in asked)
    )
    with _gone_if_refused(store):
        jobs = for_now(
            store, planned, launch, function=_name(function), source=str(source) if source else None, goal=SCORE
        )
    status = launch.build().run(jobs)
    results = _results(store, planned)
    say("\n" + results_table(asked, results))
    if status > 128:
        say(f"to go on with the rest: python -m sweeps retry {shlex.quote(str(store.folder))}")
        sys.exit(status)
    refuse_failed(results)
    if len(results) < len(asked):
        raise RunError(lines(f"{len(asked) - len(results)} of {len(asked)} runs were not begun", "why is said above"))


def _away(function: Callable[[Any, Job], Any], asked: list[Asked], store: Store, planned: list[Planned]) -> None:
    """As jobs: the command ends when they are queued, unless it is asked to wait."""
    from sweeps._standing import ALIVE, look
    from sweeps._submit import submit

    with store.locked(), _gone_if_refused(store):
        source = str(asked[0].job.source) if asked[0].job.source else None
        numbers = submit(store, planned, look(store), function=_name(function), source=source, goal=SCORE)
    runs = "1 run" if len(asked) == 1 else f"{len(asked)} runs"
    say(f"queued {runs} as {', '.join(numbers.values())}\n  see: python -m sweeps status {store.folder}")
    if not all(isinstance(each.run.launch, Slurm) and each.run.launch.wait for each in asked):
        return
    while any(each.state in ALIVE for each in look(store).trials.values()):
        time.sleep(5)
    results = _results(store, planned)
    say("\n" + results_table(asked, results))
    refuse_failed(results)


@contextmanager
def _gone_if_refused(store: Store) -> Iterator[None]:
    """Nothing is left of a sweep without a name of which no job can be in the queue."""
    try:
        yield
    except CNError:
        if not store.labels() and not store.withdrawn():
            shutil.rmtree(store.folder)
        raise


def _results(store: Store, planned: list[Planned]) -> list[Any]:
    """What each trial returned, or why it did not; those after the last that began are left out."""
    from sweeps._standing import look

    found = look(store).trials
    results = [_result(found[each.trial.id]) for each in planned if each.trial.id in found]
    told = [found[each.trial.id] for each in planned if each.trial.id in found]
    begun = [place for place, each in enumerate(told) if each.report is not None or each.state == "done"]
    return results[: max(begun, default=-1) + 1]


def _result(each: Standing) -> Any:
    if each.state == "done":
        return each.report.value if each.report is not None else None  # its report was lost
    return RunError(each.reason or each.state)


def _name(function: Callable[..., Any]) -> str:
    """How another process finds the function."""
    module = function.__module__
    if module == "__main__":
        module = Path(function.__code__.co_filename).stem
    if "." in function.__qualname__:
        raise UserError(f"{function.__qualname__} cannot be found by another process: define it at the top of a file")
    return f"{module}:{function.__qualname__}"
