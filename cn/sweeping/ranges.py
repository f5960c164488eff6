"""Values for an axis: lists that cover a range, and samplers for `random`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cn.errors import UserError


@dataclass(frozen=True)
class Sampler:
    """A distribution that `random` draws an axis from."""

    text: str  # its source text, for messages
    draw: Callable[[float], float | int]  # maps a number in [0, 1) to a value
    form: dict[str, list[Any]]  # its JSON form, such as {"integers": [1, 3]}


def log_range(first: float, last: float, count: int) -> list[float]:
    """Return numbers with equal ratios, including both ends; inner values are rounded to 6 digits."""
    text = f"log_range({first}, {last}, {count})"
    _above_zero(text, first, last, f"linear_range({first}, {last}, {count})")
    return _range(text, first, last, count, lambda part: _power(first, last, part))


def linear_range(first: float, last: float, count: int) -> list[float]:
    """Return numbers with equal distances, including both ends; inner values are rounded to 6 digits."""
    text = f"linear_range({first}, {last}, {count})"
    return _range(text, first, last, count, lambda part: first + (last - first) * part)


def log_uniform(low: float, high: float) -> Sampler:
    """Log-uniform: every order of magnitude is equally likely: from 1e-5 to 1e-3, half the values are below 1e-4."""
    text = f"log_uniform({low}, {high})"
    _above_zero(text, low, high, f"uniform({low}, {high})")
    _rising(text, low, high)
    return Sampler(text, lambda part: rounded(_power(low, high, part), low, high), {"log_uniform": [low, high]})


def uniform(low: float, high: float) -> Sampler:
    """Uniform: every number between the ends is equally likely."""
    text = f"uniform({low}, {high})"
    _finite(text, low, high)
    _rising(text, low, high)
    return Sampler(text, lambda part: rounded(low + (high - low) * part, low, high), {"uniform": [low, high]})


def integers(low: int, high: int) -> Sampler:
    """Uniform integers: every whole number is equally likely, both ends included."""
    text = f"integers({low}, {high})"
    if type(low) is not int or type(high) is not int:
        raise UserError(f"{text} must have whole numbers at its ends", f"write: uniform({low}, {high})")
    _rising(text, low, high)
    return Sampler(text, lambda part: low + place(part, high - low + 1), {"integers": [low, high]})


def place(part: float, count: int) -> int:
    """Map a number in [0, 1) to an index below `count`, in integer arithmetic: the same on every machine."""
    return int(part * 2**53) * count >> 53


def rounded(value: float, low: float, high: float) -> float:
    """Return a drawn number with 4 digits, more in a range that is narrow for its numbers, and not beyond the ends."""
    return _rounded(value, 4, low, high)


def _range(text: str, first: float, last: float, count: int, at: Callable[[float], float]) -> list[float]:
    _finite(text, first, last)
    if count < 1:
        raise UserError(f"{text} gives no value", f"write: {text.partition('(')[0]}({first}, {last}, 4)")
    if count == 1:
        raise UserError(f"{text} gives one value, and has two ends", f"write: [{first}]")
    low, high = min(first, last), max(first, last)
    inner = [_rounded(at(i / (count - 1)), 6, low, high) for i in range(1, count - 1)]
    return [float(first), *inner, float(last)]


def _power(first: float, last: float, part: float) -> float:
    return math.exp(math.log(first) + (math.log(last) - math.log(first)) * part)


def _rounded(value: float, digits: int, low: float, high: float) -> float:
    """Round to so many digits of the range: of 0.999 to 0.9999, three more than of the number."""
    more = math.floor(math.log10(max(abs(low), abs(high)) / (high - low))) if low < high else 0
    return float(min(max(float(f"{value:.{digits + max(0, more)}g}"), low), high))


def _above_zero(text: str, first: float, last: float, instead: str) -> None:
    _finite(text, first, last)
    if min(first, last) <= 0:
        raise UserError(f"{text} must have both ends above 0", f"write: {instead}, or another end")


def _rising(text: str, low: float, high: float) -> None:
    if low > high:
        name = text.partition("(")[0]
        raise UserError(f"{text} must have its lower end first", f"write: {name}({high}, {low})")


def _finite(text: str, *ends: float) -> None:
    if not all(map(math.isfinite, ends)):
        raise UserError(f"{text} must have two finite ends", "write: the numbers between which to look")
