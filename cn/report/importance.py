"""How much each field explains the differences of the goal, by Optuna's PED-ANOVA (arXiv:2304.10255)."""

from __future__ import annotations

from typing import Any, Literal

LARGEST = 1e300  # a larger number, or none at all such as inf, is one of several choices
FEWEST = 10  # entries with a value; with fewer, the shares mean nothing


def importance(
    rows: list[list[Any]], fields: list[str], goals: list[float], direction: Literal["minimize", "maximize"]
) -> dict[str, float] | str:
    """Return the shares of the fields, which add up to 1, or the reason why they are not known.

    rows: the values of the fields in each entry that has a value of the goal. goals: these values.
    """
    if not fields:
        return "no field differs"
    if len(rows) < FEWEST:
        return f"{len(rows)} entries have a value, and {FEWEST} are needed"
    if len(set(goals)) < 2:
        return "all values are equal"
    try:
        import optuna
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    except ImportError:
        return "optuna is not installed: pip install 'cn[report]'"
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction=direction)
    kinds = {name: distribution([row[place] for row in rows]) for place, name in enumerate(fields)}
    for row, value in zip(rows, goals, strict=True):
        parameters = {name: as_choice(each, kinds[name]) for name, each in zip(fields, row, strict=True)}
        study.add_trial(optuna.create_trial(params=parameters, distributions=kinds, value=value))
    found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(evaluate_on_local=False))
    return {name: round(share, 4) for name, share in found.items()}


def distribution(values: list[Any]) -> Any:
    """Return the range of a field's numbers, logarithmic over two orders of magnitude; else its choices."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    numbers = [value for value in values if type(value) in (int, float) and -LARGEST < value < LARGEST]
    if len(numbers) < len(values) or len(set(numbers)) < 2:
        return CategoricalDistribution(tuple(dict.fromkeys(map(str, values))))
    low, high = float(min(numbers)), float(max(numbers))
    return FloatDistribution(low, high, log=low > 0 and high / low >= 100)


def as_choice(value: Any, kind: Any) -> Any:
    """Return a value as the parameter of a distribution."""
    return float(value) if type(kind).__name__ == "FloatDistribution" else str(value)
