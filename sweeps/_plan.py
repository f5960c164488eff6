"""From a sweep to its trials: every point composed, checked as on the command line, and known by what it comes to."""

from __future__ import annotations

import functools
import hashlib
import json
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from cn import CN, CNError, UserError, command, compose
from cn.errors import lines, short
from cn.moved import unmoved
from cn.node import walk, where
from cn.record import CLASS, plain, unplain
from cn.source import file
from cn.words import word, words
from runs import Run
from runs.launch import Launch
from sweeps import Sweep
from sweeps._store import Trial, of_trial

ENCODE = json.JSONEncoder(sort_keys=True).encode
APART = ("folder", "launch")  # where a run is trained and kept does not make it another


@dataclass(frozen=True)
class Planned:
    """A trial, and what its job needs."""

    trial: Trial
    launch: Launch


def plan(sweep: Sweep, report: Callable[[int, int], None] = lambda done, count: None) -> list[Planned]:
    """All trials, in the order of the axes; a point that comes to the same run as one before it is left out.

    Raises UserError for an override that does not fit, as the command line does.
    """
    command.script = "train.py"  # whose fields an axis names
    found: dict[str, Planned] = {}
    points, change = sweep.axes.points, type(sweep)
    _refuse_own(sweep.base)
    derives, keeps = change.derive is not Sweep.derive, change.keep is not Sweep.keep
    asks = change.resources is not Sweep.resources
    written = functools.cache(lambda key, text: _written(sweep.base, key, json.loads(text)))
    for number, point in enumerate(points):
        report(number, len(points))
        own = [each for key, value in point.items() for each in written(key, json.dumps(value))]
        run = compose(sweep.base, own)
        if derives:
            more = _asked(sweep, "derive", run, own)
            if not isinstance(cast("Any", more), dict):
                raise UserError(f"{change.__name__}.derive() gave {more!r}, and must give a dict of values by key")
            own += [each for key, value in more.items() for each in _written(sweep.base, key, value)]
            run = compose(sweep.base, own)
        if keeps and not _asked(sweep, "keep", run, own):
            continue
        config = plain(run)
        name = identity(run, config)
        if name not in found:
            launch = _asked(sweep, "resources", run, own) if asks else sweep.launch
            if not isinstance(cast("Any", launch), Launch):
                raise UserError(
                    f"{change.__name__}.resources() gave {launch!r}, and must give a Launch, such as Slurm()"
                )
            folder = str(run.folder.absolute()) if run.folder is not None else of_trial(name)
            found[name] = Planned(Trial(name, tuple(own), config, folder, place=len(found)), launch)
    return apart(list(found.values()))


def identity(run: Run, config: dict[str, Any]) -> str:
    """Ten hex digits that stand for all that a run computes: its whole configuration, a default's value included.

    config: the run's record.
    """
    kept = {name: value for name, value in unmoved(run, config, plain).items() if name not in APART}
    return hashlib.sha256(ENCODE(kept).encode()).hexdigest()[:10]


def apart(planned: list[Planned]) -> list[Planned]:
    """The same trials, when no two of them lie in one folder."""
    seen: dict[str, Trial] = {}
    for each in planned:
        other = seen.setdefault(each.trial.folder, each.trial)
        if other is not each.trial:
            raise UserError(
                lines(
                    f"folder={each.trial.folder} is one folder, and {len(planned)} runs are to lie in it",
                    "leave out folder: each run gets its own",
                )
            )
    return planned


def _asked(sweep: Sweep, name: str, run: CN, own: list[str]) -> Any:
    """What a method of the sweep's own says of a run; UserError, with the line, where it fails."""
    method = getattr(sweep, name)
    try:
        return method(run)
    except CNError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        line = next(each.lineno for each in reversed(frames) if each.filename == method.__code__.co_filename)
        what = (
            f"{type(sweep).__name__}.{name}() fails for {' '.join(own) or 'the base'}: {type(error).__name__}: {error}"
        )
        raise UserError(lines(short(what), f"at {file(method.__module__)}:{line}")) from error


def _refuse_own(node: CN) -> None:
    """A file of sweeps/ can be edited without any trial's becoming another, so no part of one may be defined there."""
    for _, each in walk(node):
        if type(each).__module__.startswith("sweeps."):
            what = f"{type(each).__name__} is defined in a file of sweeps/, which does not count as a trial's code"
            raise UserError(lines(what, where(type(each)), "move it to runs/, models/ or data/"))


def _written(base: Run, key: str, value: Any) -> list[str]:
    """An axis's value as overrides on top of the base."""
    if isinstance(value, dict) and CLASS in value:
        value = unplain(cast("dict[str, Any]", value), f"the axis {key}")
    if isinstance(value, CN):
        _refuse_own(value)
        return words(value, _at(base, key), key)
    return [word(key, value)]


def _at(base: Any, key: str) -> CN | None:
    """The node of the base that a key chooses; None where there is none."""
    for name in key.replace("/", ".").split("."):
        base = cast("dict[str, Any]", base).get(name) if isinstance(base, dict) else getattr(base, name, None)
    return base if isinstance(base, CN) else None
