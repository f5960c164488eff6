"""`export NAME --optuna FILE`: the trials of a sweep as a study of Optuna, which optuna-dashboard shows."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import shlex
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cn.errors import RunError, UserError, lines
from cn.lazy import needs
from cn.report.content import curve
from cn.report.importance import as_choice, distribution
from cn.sweeping.folder.points import Point, Points
from cn.sweeping.folder.store import Store
from cn.sweeping.folder.trial_status import TrialStatus
from cn.sweeping.job.ends import Ends
from cn.sweeping.planning.named import Named
from cn.sweeping.search import study as studies
from cn.sweeping.search.past import Past, PointState
from cn.sweeping.search_space import Space
from cn.sweeping.showing.result_table import assigned
from cn.sweeping.showing.scores import Outcome, outcomes
from cn.writing.record import unplain

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

DATABASES, JOURNALS = (".db", ".sqlite", ".sqlite3"), (".log", ".journal")
POINT = {
    TrialStatus.DONE: PointState.DONE,
    TrialStatus.PRUNED: PointState.PRUNED,
    TrialStatus.RUNNING: PointState.RUNNING,
    TrialStatus.WAITING: PointState.RUNNING,
}


def export(named: Named, path: Path) -> tuple[str, Any]:
    """Write a study with one trial for each point of a search, or each trial of another sweep.

    A file that ends in .db is a database of SQLite, one that ends in .log a journal. UserError if it exists.
    """
    _refuse(named, path)
    needs("--optuna", "optuna", install="'cn[search]'")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about parts of Optuna that may change
        found = list(_trials(named))
        name = named.store.folder.absolute().name
        _write(found, name, named, path)
    states = dict(Counter(each.state.name.lower() for each in found))
    address = f"sqlite:///{path}" if path.suffix in DATABASES else str(path)
    text = lines(
        f"{path} holds the study {name}: {', '.join(f'{count} {state}' for state, count in states.items())}",
        f"see: optuna-dashboard {shlex.quote(address)}",
    )
    return text, {"file": str(path), "study": name, "states": states}


def _refuse(named: Named, path: Path) -> None:
    if path.suffix not in (*DATABASES, *JOURNALS):
        what = f"--optuna {path}: a study is a database, NAME.db, or a journal, NAME.log"
        raise UserError(what, f"write: {named.command('export')} --optuna {shlex.quote(str(path))}.db")
    if os.path.lexists(path):
        raise UserError(f"{path} is there already, and is not overwritten", "name another file, or remove it")


def _write(found: list[FrozenTrial], name: str, named: Named, path: Path) -> None:
    """Write the file beside its place, and put it there once it is whole."""
    import optuna
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend
    from optuna.study import StudyDirection
    from sqlalchemy import URL, event

    beside = path.with_name(f".{path.name}.{os.getpid()}")
    ways = [StudyDirection[each.direction.upper()] for each in named.goal.each()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in DATABASES:
            storage = RDBStorage(URL.create("sqlite", database=str(beside)).render_as_string())
            event.listen(
                storage.engine, "connect", lambda new, _: new.execute("PRAGMA synchronous=OFF")
            )  # twice as fast
            storage.engine.dispose()
        else:
            storage = JournalStorage(JournalFileBackend(str(beside)))
        study = optuna.create_study(study_name=name, directions=ways, storage=storage)
        study.set_metric_names([each.metric for each in named.goal.each()])
        study.add_trials(found)
        if isinstance(storage, RDBStorage):
            storage.remove_session()
            storage.engine.dispose()
        os.link(beside, path)
    except FileExistsError:  # written meanwhile
        _refuse(named, path)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def _trials(named: Named) -> Iterator[FrozenTrial]:
    """Yield the trials of the study. UserError if nothing of the sweep was submitted."""
    every = {each.trial.id: each for each in outcomes(named)}
    search = _search(named)
    if search is None:
        yield from _of_words(named, list(every.values()))
        return
    points, ends = Points(named.store), Ends(named.store, named.goal)
    ends.owners = points.owners()
    for each in points.every():
        past = ends.past(each.values, each.trials)
        found = [every[trial.id] for trial in each.trials if trial.id in every]
        yield _of_point(named, search, each, past, found)


def _search(named: Named) -> Space | None:
    """Return the space of a search, as it was submitted last; None if the sweep is no search."""
    records = [head.search for head in named.store.heads().values() if head.search is not None]
    axes = unplain(records[-1]["axes"], "the record of the sweep") if records else None
    return axes if isinstance(axes, Space) else None


def _of_point(named: Named, space: Space, point: Point, past: Past, found: list[Outcome]) -> FrozenTrial:
    """Return a point; one that the space no longer gives has no parameters, and its values as an attribute."""
    past = dataclasses.replace(past, attributes=point.attributes)
    trial = studies.frozen(past, space)
    if trial is None:
        trial = studies.frozen_as(past, {}, {})
        trial.user_attrs["values"] = point.values
    trial.user_attrs |= {"reason": point.reason} if point.reason is not None else {}
    return _told(named, trial, found)


def _of_words(named: Named, found: list[Outcome]) -> Iterator[FrozenTrial]:
    """Yield the trials of a sweep that is no search; the parameters are the overrides that differ."""
    given = [assigned(each.trial.words) for each in found]
    names = list(dict.fromkeys(name for words in given for name in words))
    columns = {name: [_number(words[name]) for words in given if name in words] for name in names}
    kinds = {name: distribution(values) for name, values in columns.items()}
    for each, words in zip(found, given, strict=True):
        parameters = {name: as_choice(_number(text), kinds[name]) for name, text in words.items()}
        values = named.goal.values(each.summary) if each.state == TrialStatus.DONE else None
        state = POINT.get(each.state, PointState.FAILED)
        if state == PointState.DONE and values is None:
            state = PointState.FAILED
        first, *others = values or (None,)
        further = tuple(other for other in others if other is not None)
        past = Past({}, state, first, others=further, excess=named.goal.excess(each.summary))
        own = {name: kinds[name] for name in parameters}
        yield _told(named, studies.frozen_as(past, parameters, own), [each])


def _told(named: Named, trial: FrozenTrial, found: list[Outcome]) -> FrozenTrial:
    """Add the curve of a trial, its times, and which runs it is."""
    store: Store = named.store
    starts = [each.started for each in found if each.started is not None]
    if starts:
        trial.datetime_start = datetime.datetime.fromtimestamp(min(starts))
        seconds = max((each.summary.get("seconds", 0.0) for each in found), default=0.0)
        if trial.datetime_complete is not None:
            trial.datetime_complete = datetime.datetime.fromtimestamp(max(starts) + seconds)
    if not named.goal.others:  # Optuna has intermediate values of one goal alone
        curves = [dict(curve(store.at(each.trial) / "metrics.jsonl", named.goal.metric)) for each in found]
        shared = [step for step in curves[0] if all(step in each for each in curves)] if curves else []
        trial.intermediate_values |= {int(step): sum(each[step] for each in curves) / len(curves) for step in shared}
    trial.user_attrs["trials"] = [each.trial.id for each in found]
    trial.user_attrs["folders"] = [str(store.at(each.trial)) for each in found]
    reasons = [each.reason for each in found if each.reason is not None]
    trial.user_attrs |= {"reason": reasons[0]} if reasons else {}
    return trial


def _number(text: str) -> Any:
    """Return a word's value: a number, or the text."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text
