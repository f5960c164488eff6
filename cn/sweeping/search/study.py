"""Optuna's samplers: an in-memory study is built from the past, and asked for one point."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from cn.lazy import needs
from cn.sweeping.ranges import rounded
from cn.sweeping.search.past import Past, PointState, Suggestion
from cn.sweeping.space import Distribution, Space

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

WHICH = "space"  # the parameter that chooses one of several spaces


def begin(option: str, *packages: str) -> None:
    """Import Optuna. UserError if it, or a package that the sampler needs, is missing."""
    needs(option, "optuna", *packages, install="'cn[search]'")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)


def seed_of(seed: int, number: int) -> int:
    """Return the seed of the sampler for one suggestion."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{number}".encode()).digest()[:4], "big")


def suggest(
    sampler: Callable[[], BaseSampler], space: Space, past: Sequence[Past], *, maximize: Sequence[bool]
) -> Suggestion:
    """Return the point that a sampler chooses; points that the space cannot give are not told."""
    import optuna
    from optuna.study import StudyDirection

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about parts of Optuna that may change
        ways = [StudyDirection.MAXIMIZE if each else StudyDirection.MINIMIZE for each in maximize]
        study = optuna.create_study(directions=ways, sampler=sampler())
        names = _names(space)
        told = (_frozen(each, space, names) for each in past)
        study.add_trials([each for each in told if each is not None])
        trial = study.ask()
        which = 0
        if len(space.spaces) > 1:
            which = int(trial.suggest_categorical(WHICH, range(len(space.spaces))))
        values: dict[str, Any] = {}
        for key, form in space.spaces[which].items():
            values[key] = _value(form, trial._suggest(names[which][key], _distribution(form)))
        attributes = study._storage.get_trial_system_attrs(trial._trial_id)
    return Suggestion(values, dict(attributes))


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
    from optuna.trial import TrialState, create_trial

    state = {
        PointState.RUNNING: TrialState.RUNNING,
        PointState.DONE: TrialState.COMPLETE,
        PointState.PRUNED: TrialState.PRUNED,
        PointState.FAILED: TrialState.FAIL,
    }[each.state]
    at = {} if each.step is None or each.value is None else {each.step: each.value}
    values = [each.value, *each.others] if each.value is not None else None
    return create_trial(
        state=state,
        values=values if each.state in (PointState.DONE, PointState.PRUNED) else None,
        params=parameters,
        distributions=distributions,
        system_attrs=each.attributes,
        intermediate_values=at,
    )


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
