"""Optuna's samplers: an in-memory study is built from the past, and asked for one point."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cn.lazy import needs
from cn.sweeping.ranges import rounded
from cn.sweeping.search.past import Past, PointState, Suggestion
from cn.sweeping.search_space import Distribution, Space

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import FrozenTrial, TrialState

WHICH = "space"  # the parameter that chooses one of several spaces


def begin(option: str, *packages: str) -> None:
    """Import Optuna. UserError if it, or a package that the sampler needs, is missing."""
    needs(option, "optuna", *packages, install="'cn[search]'")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)


def seed_of(seed: int, number: int) -> int:
    """Return the seed of the sampler for one suggestion."""
    import hashlib

    return int.from_bytes(hashlib.sha256(f"{seed}:{number}".encode()).digest()[:4], "big")


def suggest(
    sampler: Callable[[], BaseSampler], space: Space, past: Sequence[Past], *, maximize: Sequence[bool]
) -> Suggestion:
    """Return the point that a sampler chooses; points that the space cannot give are not told."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about parts of Optuna that may change
        kept = _kept(space, tuple(maximize))
        names, study = kept.names, kept.told(past)
        study.sampler = sampler()
        trial = study.ask()
        which = 0
        if len(space.spaces) > 1:
            which = int(trial.suggest_categorical(WHICH, range(len(space.spaces))))
        values: dict[str, Any] = {}
        for key, form in space.spaces[which].items():
            name, distribution = names[which][key], _distribution(form)
            values[key] = _value(form, trial._suggest(name, distribution))
            taken = distribution.to_internal_repr(_parameter(form, values[key]))  # it may be rounded
            study._storage.set_trial_param(trial._trial_id, name, taken, distribution)
        attributes = dict(study._storage.get_trial_system_attrs(trial._trial_id))
        kept.asked = Past(values, attributes=attributes)
        kept.ids.append(trial._trial_id)
    return Suggestion(values, attributes)


def pruned_as_done(past: Sequence[Past]) -> list[Past]:
    """Return the points with each pruned one as done, with its last value: some samplers learn nothing from others."""
    return [replace(each, state=PointState.DONE) if each.state == PointState.PRUNED else each for each in past]


class Kept:
    """A study that is told only what is new since the last suggestion: to tell a thousand points takes far longer than
    to suggest one.
    """

    def __init__(self, space: Space, maximize: tuple[bool, ...]) -> None:
        self.space, self.maximize, self.names = space, maximize, _names(space)
        self.study: Study | None = None
        self.past: list[Past] = []  # that the study was told, in its order
        self.ids: list[int | None] = []  # of its trials; None for a point that the space cannot give
        self.asked: Past | None = None  # the last suggestion, which is the last trial

    def told(self, past: Sequence[Past]) -> Study:
        """Return the study, once it holds these points alone, without those that the space cannot give."""
        known = [*self.past, *([self.asked] if self.asked is not None else [])]
        goes_on = self.study is not None and len(past) >= len(known)
        if self.study is None or not goes_on or not all(map(_becomes, known, past)):
            self.study, known, self.ids = self._new(), [], []
        for trial, old, new in zip(self.ids, known, past, strict=False):
            if trial is not None and old.state != new.state:
                self._end(self.study, trial, new)
        for each in past[len(known) :]:
            if (told := _frozen(each, self.space, self.names)) is not None:
                self.study.add_trial(told)
            self.ids.append(None if told is None else self.study.get_trials(deepcopy=False)[-1]._trial_id)
        self.past, self.asked = list(past), None
        return self.study

    def _new(self) -> Study:
        import optuna
        from optuna.study import StudyDirection

        ways = [StudyDirection.MAXIMIZE if each else StudyDirection.MINIMIZE for each in self.maximize]
        return optuna.create_study(directions=ways)

    def _end(self, study: Study, trial: int, past: Past) -> None:
        """Tell how a point ended that the study knows as a running one."""
        if past.step is not None and past.value is not None:
            study._storage.set_trial_intermediate_value(trial, past.step, past.value)
        for limit, excess in past.excess.items():  # as Trial.set_constraint does, of a trial that is asked
            study._storage.set_trial_system_attr(trial, f"constraints:{limit}", excess)
        study._storage.set_trial_state_values(trial, _state(past), _values(past))


_last: list[Kept] = []  # of the search of this process


def _kept(space: Space, maximize: tuple[bool, ...]) -> Kept:
    """Return the study of a search, which is kept from one suggestion to the next."""
    if not _last or _last[0].space is not space or _last[0].maximize != maximize:
        _last[:] = [Kept(space, maximize)]
    return _last[0]


def _becomes(old: Past, new: Past) -> bool:
    """Return whether a point is as it was, or was running; an ended one that goes on needs a new study."""
    if old is new:
        return True
    if old.values != new.values or old.attributes != new.attributes:
        return False
    return old.state == PointState.RUNNING or old == new


def _names(space: Space) -> list[dict[str, str]]:
    """Return Optuna's name of each key of each space; one name has one distribution, in all spaces that have it."""
    forms: dict[str, list[Distribution]] = {}
    names: list[dict[str, str]] = []
    for each in space.spaces:
        for key, form in each.items():
            known = forms.setdefault(key, [])
            known.extend([] if form in known else [form])
    for each in space.spaces:
        own = {key: forms[key].index(form) for key, form in each.items()}
        names.append({key: key if len(forms[key]) == 1 else f"{key} ({number})" for key, number in own.items()})
    return names


def frozen(each: Past, space: Space) -> FrozenTrial | None:
    """Return a point as Optuna's trial; None if the space cannot give it."""
    return _frozen(each, space, _names(space))


def _frozen(each: Past, space: Space, names: list[dict[str, str]]) -> FrozenTrial | None:
    from optuna.distributions import CategoricalDistribution

    which = space.fitting(each.values)
    if which is None:
        return None
    forms = space.spaces[which]
    parameters = {names[which][key]: _parameter(forms[key], value) for key, value in each.values.items()}
    distributions = {names[which][key]: _distribution(form) for key, form in forms.items()}
    if len(space.spaces) > 1:
        parameters[WHICH] = which
        distributions[WHICH] = CategoricalDistribution(range(len(space.spaces)))
    return frozen_as(each, parameters, distributions)


def frozen_as(each: Past, parameters: dict[str, Any], distributions: dict[str, BaseDistribution]) -> FrozenTrial:
    """Return a point as Optuna's trial with these parameters."""
    from optuna.trial import create_trial

    at = {} if each.step is None or each.value is None else {each.step: each.value}
    return create_trial(
        state=_state(each),
        values=_values(each),
        params=parameters,
        distributions=distributions,
        system_attrs=each.attributes,
        intermediate_values=at,
        constraints=each.excess,
    )


def _state(past: Past) -> TrialState:
    from optuna.trial import TrialState

    return {
        PointState.RUNNING: TrialState.RUNNING,
        PointState.DONE: TrialState.COMPLETE,
        PointState.PRUNED: TrialState.PRUNED,
        PointState.FAILED: TrialState.FAIL,
    }[past.state]


def _values(past: Past) -> list[Any] | None:
    return [past.value, *past.others] if past.state in (PointState.DONE, PointState.PRUNED) else None


def _distribution(form: Distribution) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    ((kind, given),) = form.items()
    if kind == "choices":
        return CategoricalDistribution(list(dict.fromkeys(map(json.dumps, given))))
    if kind == "integers":
        return IntDistribution(*given)
    return FloatDistribution(*given, log=kind == "log_uniform")


def _parameter(form: Distribution, value: Any) -> Any:
    """Return a value as Optuna's parameter: a choice is its JSON text, since Optuna takes no lists and no nodes."""
    return json.dumps(value) if "choices" in form else value


def _value(form: Distribution, parameter: Any) -> Any:
    ((kind, given),) = form.items()
    if kind == "choices":
        return json.loads(parameter)
    return int(parameter) if kind == "integers" else rounded(parameter, *given)
