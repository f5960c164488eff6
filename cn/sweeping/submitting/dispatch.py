"""Dispatch of train.py's runs: a single local run is called directly; all others become a sweep without a name."""

from __future__ import annotations

import datetime
import inspect
import shlex
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cn.composing.results import first_of_each, refuse_failed, results_table
from cn.discovery.source import where
from cn.errors import CNError, RunError, UserError
from cn.job import Job, Request, asked_for
from cn.launching.launch import Launch
from cn.nodes.traversal import walk
from cn.run_folder.recorded import Recorded
from cn.screen import say
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.goal import maximize
from cn.sweeping.project import verbs

if TYPE_CHECKING:
    from cn.sweeping.folder.standing import Standing
    from cn.sweeping.folder.store import Store
    from cn.sweeping.planning.plan import Planned
    from cn.sweeping.submitting.submission import Called

Compare = Callable[[list[Path], list[str]], "str | None"]


SCORE = maximize("score")  # the goal of a sweep without a name


def dispatch(
    function: Callable[[Any, Job], Any],
    asked: list[Request],
    *,
    refuse: Callable[[Request], None] = lambda each: None,
    compare: Compare = lambda folders, words: None,
) -> None:
    """Train each run where its `launch` says: here, and wait; or as jobs of a cluster, and return.

    refuse: raises an error for a run that makes no sense, before the runs of a -m start.
    compare: returns a further table of the runs that ended, from their folders and the words of each, or None.
    """
    if len(asked) == 1 and not asked[0].job.group and asked[0].run.launch.is_here:
        run, job = asked[0].run, asked[0].job
        count = run.launch.processes_here
        (function if count == 1 else _spread(function, count))(run, job)
        return
    from cn.launching.ranks import which

    if which().size > 1:
        raise UserError("these processes are those of one run, here", "leave out: -m and launch=...")
    launches: list[Launch] = [each.run.launch for each in asked]
    if len({each.is_here for each in launches}) > 1:
        raise UserError("launch=local and others do not go together in one -m", "write: two commands")
    together = launches[0].joined(launches) if launches[0].is_here else None
    for each in asked:
        refuse(each)
    asked = _distinct(asked)
    store, planned = _unnamed(asked)
    if together is not None:
        _here(function, asked, store, planned, together, compare)
    else:
        _away(function, asked, store, planned, compare)


def _spread(function: Callable[[Any, Job], Any], count: int) -> Callable[[Any, Job], Any]:
    """Return the function as called by several processes; one process records the run."""
    from cn.launching.processes import Spread

    return Recorded(Spread(function.function, count)) if isinstance(function, Recorded) else Spread(function, count)


def _distinct(asked: list[Request]) -> list[Request]:
    """Return the requests without duplicates, as in a named sweep; the same run in another folder is no duplicate."""
    from cn.composing.results import comes_to
    from cn.run_folder.folder import folder_of

    runs = [f"{comes_to(each.run)} {folder_of(each.run)}" for each in asked]
    return [asked[place] for place in first_of_each(runs, asked_for(asked))]


def _unnamed(asked: list[Request]) -> tuple[Store, list[Planned]]:
    """Return a new folder in outputs/ and the trials for it."""
    from cn.nodes.to_json import plain
    from cn.run_folder.folder import OUTPUTS, folder_of, fresh, name_of
    from cn.sweeping.folder.store import Store, Trial, of_trial
    from cn.sweeping.goal import of_run
    from cn.sweeping.planning.named import describe
    from cn.sweeping.planning.plan import Planned, apart, identity

    group = asked[0].job.group or datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    seen: Counter[str] = Counter()
    planned: list[Planned] = []
    for place, each in enumerate(asked):
        config = plain(each.run)
        names = identity(each.run, config, each.job.overrides), name_of(each.job.overrides) or "default"
        seen.update(names)  # one run may have several folders, and words may differ in quotes only
        key, named = (one if seen[one] == 1 else f"{one}_{seen[one]}" for one in names)
        if len(asked) > 900:  # too many entries for one folder
            named = of_trial(key)
        own = folder_of(each.run)
        folder = named if own is None else str(own.absolute())
        trial = Trial(key, each.varied or each.job.overrides, config, folder, each.job.overrides, place)
        planned.append(Planned(trial, each.run.launch))
    apart(planned)
    try:
        store = Store(fresh(OUTPUTS / group))
    except OSError as error:
        raise RunError(f"cannot make a run folder: {error}") from None
    describe(store, of_run(asked[0].run, "score"), None)
    return store, planned


def _here(
    function: Callable[[Any, Job], Any],
    asked: list[Request],
    store: Store,
    planned: list[Planned],
    launch: Launch,
    compare: Compare,
) -> None:
    """Run the trials on this machine while the command waits, then print a table."""
    from cn.sweeping.submitting.submission import for_now

    with _gone_if_refused(store):
        jobs = for_now(store, planned, launch, _copy_code(function, asked, store), goal=SCORE)
    status = launch.build().run(jobs)
    results = _results(store, planned, unbegun=False)
    _tell(asked, results, [store.at(each.trial) for each in planned], compare)
    if status > 128:
        say(f"to go on with the rest: {verbs()} retry {shlex.quote(str(store.folder))}")
        sys.exit(status)
    refuse_failed(results)
    if len(results) < len(asked):
        raise RunError(f"{len(asked) - len(results)} of {len(asked)} runs were not begun", "why is said above")


def _away(
    function: Callable[[Any, Job], Any], asked: list[Request], store: Store, planned: list[Planned], compare: Compare
) -> None:
    """Queue the runs as jobs; return once they are queued, unless a launch asks to wait."""
    from cn.sweeping.folder.look import look
    from cn.sweeping.submitting.submission import submit

    with store.locked(), _gone_if_refused(store):
        numbers = submit(store, planned, look(store), _copy_code(function, asked, store), goal=SCORE)
    runs = "1 run" if len(asked) == 1 else f"{len(asked)} runs"
    say(f"queued {runs} as {', '.join(numbers.values())}\n  see: {verbs()} status {store.folder}")
    if not all(each.run.launch.is_waited_for for each in asked):
        return
    while any(each.state.is_alive for each in look(store).trials.values()):
        time.sleep(5)
    results = _results(store, planned, unbegun=True)
    _tell(asked, results, [store.at(each.trial) for each in planned], compare)
    refuse_failed(results)


def _tell(asked: list[Request], results: list[Any], folders: list[Path], compare: Compare) -> None:
    """Print the result of each run, and what the program adds."""
    say("\n" + results_table([each.varied for each in asked], results))
    done = [place for place, result in enumerate(results) if not isinstance(result, Exception)]
    words = asked_for(asked)
    if told := compare([folders[place] for place in done], [words[place] for place in done]):
        say("\n" + told)


@contextmanager
def _gone_if_refused(store: Store) -> Iterator[None]:
    """If an error leaves no job in the queue, remove the folder of the unnamed sweep."""
    try:
        yield
    except CNError:
        if not store.labels() and not store.withdrawn():
            shutil.rmtree(store.folder)
        raise


def _results(store: Store, planned: list[Planned], *, unbegun: bool) -> list[Any]:
    """Return each trial's result or error. unbegun: also of the trials after the last that began."""
    from cn.sweeping.folder.look import look

    found = look(store).trials
    results = [_result(found[each.trial.id]) for each in planned if each.trial.id in found]
    told = [found[each.trial.id] for each in planned if each.trial.id in found]
    begun = [place for place, each in enumerate(told) if each.report is not None or each.state == TrialStatus.DONE]
    return results if unbegun else results[: max(begun, default=-1) + 1]


def _result(each: Standing) -> Any:
    if each.state == TrialStatus.DONE:
        return each.report.value if each.report is not None else None  # the report was lost
    error = RunError(each.reason or each.state)
    if each.state != TrialStatus.FAILED:
        error.status = 128 + signal.SIGINT
    return error


def _copy_code(function: Callable[..., Any], asked: list[Request], store: Store) -> Called:
    """Copy the code; UserError if another process could not import the function, or the class of a node."""
    from cn.launching.shared import libraries
    from cn.sweeping.submitting.submission import copy_code

    makes_folder = not isinstance(function, Recorded)
    function = inspect.unwrap(function)
    module = function.__module__
    if module == "__main__":
        spec = sys.modules[module].__spec__  # of python -m proj.train
        module = Path(function.__code__.co_filename).stem if spec is None else spec.name
    if "." in function.__qualname__:
        raise UserError(f"{function.__qualname__} cannot be found by another process: define it at the top of a file")
    own = next(
        (type(node) for each in asked for _, node in walk(each.run) if type(node).__module__ == "__main__"), None
    )
    if own is not None:
        what = (
            f"{own.__name__} is defined in the program itself, and the other processes of these runs cannot import it"
        )
        raise UserError(what, where(own), "move it to another file, and import it from there")
    needed = libraries(type(asked[0].run))
    source = str(asked[0].job.source) if asked[0].job.source else None
    return copy_code(store, f"{module}:{function.__qualname__}", makes_folder, needed, source)
