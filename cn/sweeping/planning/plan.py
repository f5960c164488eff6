"""From a sweep to its trials: each point is composed and checked as on the command line, and identified by a hash."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import traceback
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any, cast

from cn import program
from cn.composing.class_changes import patches_by
from cn.composing.patches import KEY
from cn.discovery.source import file, where
from cn.errors import CNError, UserError, short
from cn.launching.launch import Launch
from cn.nodes.former import before, oldest, past
from cn.nodes.node import CN
from cn.nodes.to_json import CLASS, DERIVED
from cn.nodes.traversal import walk
from cn.run_folder.folder import folder_of
from cn.run_folder.where import field_of, usual
from cn.sweeping.axes import values_of
from cn.sweeping.folder.store import Trial, of_trial
from cn.sweeping.planning.variants import ENCODE, Variants
from cn.sweeping.sweep import Sweep
from cn.writing.command_line import word, words
from cn.writing.record import unplain

UNHASHED = ("folder", "launch")  # never part of a hash; other `_where_` fields are hashed with their defaults


@dataclass(frozen=True)
class Planned:
    """A trial and the launch of its job."""

    trial: Trial
    launch: Launch


def plan(sweep: Sweep, report: Callable[[int, int], None] = lambda done, count: None) -> list[Planned]:
    """Return all trials in the order of the axes; a point that composes to the same run as an earlier one is left out.

    Raises UserError for an invalid override, as the command line does.
    """
    found: dict[str, Planned] = {}
    composer = Composer(sweep)
    points = sweep.axes.points
    for number, point in enumerate(points):
        report(number, len(points))
        planned = composer.composed(point, found, place=len(found))
        if planned is not None:
            found[planned.trial.id] = planned
    return apart(list(found.values()))


class Composer:
    """Composes the points of a sweep, one after the other."""

    def __init__(self, sweep: Sweep) -> None:
        _refuse_function(type(sweep))
        program.script = program.of_function(sweep._function_)  # an axis names its fields
        self.sweep, change = sweep, type(sweep)
        _refuse_own(sweep.base)
        self.variants = Variants(sweep.base)
        self.applied = list(patches_by(type(sweep.base))) if KEY in sweep._varied_() else []
        self.derives, self.keeps = change.derive is not Sweep.derive, change.keep is not Sweep.keep
        self.asks = change.resources is not Sweep.resources
        self.written = functools.cache(lambda key, text: _written(sweep.base, key, json.loads(text)))

    def composed(self, point: dict[str, Any], known: Container[str] = (), *, place: int) -> Planned | None:
        """Return the trial of a point; None if keep() leaves it out, or its id is known.

        Raises UserError for an invalid override, as the command line does.
        """
        sweep, name_of_class = self.sweep, type(self.sweep).__name__
        if self.applied and KEY not in point:
            _refuse_half(sweep.base, point, self.applied)
        own = [each for key, value in point.items() for each in self.written(key, json.dumps(value))]
        variants, rest = self.variants.of(own)
        run = variants.run(rest)
        if self.derives:
            more = _asked(sweep, "derive", run, own)
            if not isinstance(cast("Any", more), dict) or not all(isinstance(key, str) for key in cast("Any", more)):
                raise UserError(f"{name_of_class}.derive() gave {more!r}, and must give a dict of values by key")
            for key, value in cast("dict[str, Any]", more).items():
                if (why := sweep._without_effect_(key)) is not None:
                    raise UserError(f"{key} of {name_of_class}.derive() {why}")
                own += _written(sweep.base, key, values_of(key, [value])[0])
            variants, rest = self.variants.of(own)
            run = variants.run(rest)
        if self.keeps and not _asked(sweep, "keep", run, own):
            return None
        config = variants.record(run)
        name = identity(run, config, own, variants)
        if name in known:
            return None
        launch = _asked(sweep, "resources", run, own) if self.asks else sweep.launch
        if not isinstance(cast("Any", launch), Launch):
            raise UserError(f"{name_of_class}.resources() gave {launch!r}, and must give a Launch, such as Slurm()")
        own_folder = folder_of(run)
        folder = of_trial(name) if own_folder is None else str(own_folder.absolute())
        return Planned(Trial(name, tuple(own), config, folder, place=place), launch)


def identity(run: CN, config: dict[str, Any], words: Sequence[str] = (), variants: Variants | None = None) -> str:
    """Return ten hex digits: the hash of a run's whole configuration, including defaults.

    The fields in `Run._where_` are excluded, unless the sweep varies them.

    config: the run's record. words: the overrides that distinguish the run within its sweep.
    variants: of which the run is one; the hash is the same without them.
    """
    kept, new = dict(before(run, config, variants.former if variants else None)), past(type(run)).neutral
    derived = cast("list[str]", kept.pop(DERIVED, []))
    varied = {field_of(word) for word in words}
    for name, default in usual(type(run)).items():
        old = oldest(type(run), name)
        if name in UNHASHED or (name not in varied and name in new):
            kept.pop(old, None)
        elif name not in varied:
            kept[old] = default
            derived = [each for each in derived if each != old]
    kept |= {DERIVED: derived} if derived else {}
    text = variants.encoded(kept) if variants else ENCODE(kept)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def apart(planned: list[Planned]) -> list[Planned]:
    """Return the trials unchanged; UserError if two of them have the same folder."""
    seen: dict[str, Trial] = {}
    for each in planned:
        other = seen.setdefault(each.trial.folder, each.trial)
        if other is not each.trial:
            raise UserError(
                f"folder={each.trial.folder} is one folder, and {len(planned)} runs are to lie in it",
                "leave out folder: each run gets its own",
            )
    return planned


def _refuse_function(cls: type[Sweep]) -> None:
    """Raise UserError if the class does not name the function as `module:name`."""
    if not re.fullmatch(r"\w+(\.\w+)*:\w+(\.\w+)*", str(cls._function_)):
        what = f"{cls.__name__}._function_ is {cls._function_!r}, and names no function of a module"
        raise UserError(what, where(cls), 'write, for the function `train` of train.py: _function_ = "train:train"')


def _asked(sweep: Sweep, name: str, run: CN, own: list[str]) -> Any:
    """Call a method of the sweep with a run; UserError, with the line, if it raises."""
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
        raise UserError(short(what), f"at {file(method.__module__)}:{line}") from error


def _refuse_half(base: CN, point: dict[str, Any], applied: list[str]) -> None:
    """Refuse a point without patches beside points with them, if the base applies patches by default."""
    names = ",".join(applied)
    what = f"the point {short(str(point))} names no patches, and others do, which take the place of [{names}]"
    raise UserError(what, where(type(base)), f'write in each point: "{KEY}": [...]')


def _refuse_own(node: CN) -> None:
    """Refuse nodes defined in sweeps/: files there may be edited without changing the hash of a trial."""
    for _, each in walk(node):
        if type(each).__module__.startswith("sweeps."):
            what = f"{type(each).__name__} is defined in a file of sweeps/, which does not count as a trial's code"
            raise UserError(what, where(type(each)), "move it to runs/, models/ or data/")


def _written(base: CN, key: str, value: Any) -> list[str]:
    """Return an axis's value as overrides of the base."""
    if isinstance(value, dict) and CLASS in value:
        value = unplain(cast("dict[str, Any]", value), f"the axis {key}")
    if isinstance(value, CN):
        _refuse_own(value)
        return words(value, _at(base, key), key)
    return [word(key, value)]


def _at(base: Any, key: str) -> CN | None:
    """Return the base's node at a key, or None."""
    for name in key.replace("/", ".").split("."):
        base = cast("dict[str, Any]", base).get(name) if isinstance(base, dict) else getattr(base, name, None)
    return base if isinstance(base, CN) else None
