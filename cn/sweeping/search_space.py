"""The space that a search draws points from: axes with distributions, or a sum of such.

Distributions are kept in JSON form: {"log_uniform": [1e-5, 0.001]}, {"uniform": [0.0, 1.0]}, {"integers": [1, 3]} and
{"choices": [0.0, 0.1]}.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from cn.errors import UserError, hint, short
from cn.sweeping.axes import Axes, Sampler, address, check_axes, values_of
from cn.sweeping.ranges import integers, log_uniform, place, uniform

Values = dict[str, Any]  # field -> value
Distribution = dict[str, list[Any]]
MAKERS: dict[str, Callable[[Any, Any], Sampler]] = {
    "log_uniform": log_uniform,
    "uniform": uniform,
    "integers": integers,
}


class Space(Axes):
    """`a + b` draws each point from one of them, `a * b` from both; `a * seeds(3)` runs each point three times."""

    _was_ = ("cn.sweeping.space.Space",)

    spaces: list[dict[str, Any]]  # field -> distribution; a point is drawn from one of them

    def __mul__(self, other: Axes) -> Space:
        theirs = {address(key): key for key in (*other.names(), *(other.keys() if isinstance(other, Space) else ()))}
        for key in (*self.keys(), *self.names()):
            if address(key) in theirs:
                both = " and ".join(dict.fromkeys([key, theirs[address(key)]]))
                raise UserError(f"both factors of a product give {both} values", "keep it in one of them")
        measured = (Axes(points=self.points) * Axes(points=other.points)).points
        spaces = cast("list[Values]", other.spaces if isinstance(other, Space) else [{}])
        return Space(points=measured, spaces=[mine | others for mine in self.spaces for others in spaces])

    __rmul__ = __mul__

    def __add__(self, other: Axes) -> Space:
        if not isinstance(other, Space):
            what = "a space and points are added: a search draws from spaces alone"
            raise UserError(what, 'write: space({"optim.lr": [0.1]}) for points as a space')
        if other.points != self.points:
            what = "the terms of a sum are measured differently often"
            raise UserError(what, "write: (a + b) * seeds(3)")
        return Space(points=self.points, spaces=[*self.spaces, *other.spaces])

    __radd__ = __add__

    def keys(self) -> list[str]:
        """Return the fields that any of the spaces draws, in the order of first appearance."""
        return list(dict.fromkeys(key for each in self.spaces for key in each))

    def draw(self, number: int, seed: int) -> Values:
        """Return the random point of this number: of one space the same as `random(number + 1, ...)` draws last."""
        parts = {key: _part(f"{seed}:{key}", number) for key in self.keys()}
        which = place(_part(f"{seed}:", number), len(self.spaces)) if len(self.spaces) > 1 else 0
        return {key: drawn(each, parts[key]) for key, each in self.spaces[which].items()}

    def fitting(self, values: Values) -> int | None:
        """Return the index of the first space that can give these values; None if none can."""
        for number, each in enumerate(self.spaces):
            if each.keys() == values.keys() and all(_holds(each[key], value) for key, value in values.items()):
                return number
        return None

    def refusal(self, values: Values) -> str | None:
        """Return why these values are no point of the space, or None if they are: of a sum, of the nearest term."""
        if self.fitting(values) is not None:
            return None
        return min((list(_reasons(each, values)) for each in self.spaces), key=len)[0]

    def described(self) -> str:
        """Return its source text, without the repeated measures."""
        return " + ".join(
            "space({" + ", ".join(f'"{key}": {_text(each[key])}' for key in each) + "})" for each in self.spaces
        )

    def check(self) -> None:
        super().check()
        if not self.spaces or not all(self.spaces):
            raise ValueError('spaces has none, or one without an axis: [{"optim.lr": {"uniform": [0.0, 1.0]}}]')
        for each in self.spaces:
            check_axes(each)
            for key, form in each.items():
                _check_form(key, form)
        if twice := [key for key in self.keys() if key in self.names()]:
            raise ValueError(f"{twice[0]} is drawn, and is given for the repeated measures: keep it in one of them")


def space(axes: Mapping[str, Sampler | Sequence[Any]]) -> Space:
    """A search draws the axes from these distributions; of a list, each value may be drawn."""
    given = cast("Any", axes)
    if not isinstance(given, Mapping) or not given:
        what = f"space(...) takes a dict from key to distribution, not {short(repr(given))}"
        raise UserError(what, 'write: space({"optim.lr": log_uniform(1e-5, 1e-3)})')
    check_axes(axes)
    forms = {
        key: axis.form if isinstance(axis, Sampler) else {"choices": values_of(key, axis)} for key, axis in axes.items()
    }
    return Space(spaces=[forms])


def drawn(form: Distribution, part: float) -> Any:
    """Return the value of a distribution for a number in [0, 1)."""
    ((kind, given),) = form.items()
    if kind == "choices":
        return given[place(part, len(given))]
    return MAKERS[kind](*given).draw(part)


def _part(name: str, number: int) -> float:
    """Return a number of a random stream, in [0, 1)."""
    from random import Random

    stream = Random(name)
    for _ in range(number):
        stream.random()
    return stream.random()


def _reasons(forms: dict[str, Any], values: Values) -> Iterator[str]:
    """Yield each reason why the values are no point of a space."""
    for key, value in values.items():
        if key not in forms:
            yield f"{short(repr(key))} is not in the space; {hint(key, forms)}"
        elif not _holds(forms[key], value):
            where = "none of" if "choices" in forms[key] else "not in"
            yield f"{key}={short(repr(value))} is {where} {_text(forms[key])}"
    for key in forms:
        if key not in values:
            yield f"it has no value for {key}"


def _holds(form: Distribution, value: Any) -> bool:
    ((kind, given),) = form.items()
    if kind == "choices":
        return any(type(value) is type(each) and value == each for each in given)
    if kind == "integers" and type(value) is not int:
        return False
    return type(value) in (int, float) and given[0] <= value <= given[1]


def _text(form: Distribution) -> str:
    ((kind, given),) = form.items()
    return short(repr(given)) if kind == "choices" else f"{kind}({given[0]}, {given[1]})"


def _check_form(key: str, form: Any) -> None:
    """Raise ValueError if a record holds something that is no distribution."""
    told = cast("dict[str, Any]", form) if isinstance(form, dict) and len(cast("Any", form)) == 1 else {"": None}
    ((kind, given),) = told.items()
    if kind == "choices" and isinstance(given, list) and given:
        return
    ends = cast("list[Any]", given) if isinstance(given, list) else []
    if kind in MAKERS and len(ends) == 2 and all(type(end) in (int, float) and math.isfinite(end) for end in ends):
        MAKERS[kind](*ends)
        return
    kinds = ", ".join([*MAKERS, "choices"])
    raise ValueError(f"{key} is {short(repr(form))}, which is no distribution: one of {kinds}, with a list")
