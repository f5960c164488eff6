"""Ranges in annotations: `lr: Annotated[float, Gt(0)]`, `names: Annotated[list[str], MinLen(1)]`.

The constraints come from the package annotated-types. This file does not import it, because a class that uses a
constraint has imported it already. A subclass that redeclares a field without a range keeps the range of its base.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from operator import ge, gt, le, lt
from typing import Any

from cn.errors import DefinitionError
from cn.immutable import Immutable
from cn.nodes.containers import Items, Row, Table
from cn.nodes.field_types import SCALARS, Either, Kind, Mismatch
from cn.nodes.texts import Texts

NUMBERS = (SCALARS[int], SCALARS[float])
SIGNS: dict[str, Callable[[Any, Any], bool]] = {">=": ge, ">": gt, "<=": le, "<": lt}
MIRRORED = {">=": "<=", ">": "<"}  # for a lower bound on the left: `0 <= float < 1`
RANGES = {"Ge": ">=", "Gt": ">", "Le": "<=", "Lt": "<"}
LENGTHS = {"MinLen": ">=", "MaxLen": "<="}


class Ranged(Immutable, Kind):
    """A number within bounds, a multiple, or a text or container whose length is within bounds."""

    kind: Kind
    bounds: tuple[tuple[str, Any], ...] = ()  # a sign and a value
    lengths: tuple[tuple[str, int], ...] = ()
    multiple: Any = None

    @property
    def name(self) -> str:  # type: ignore[override]
        name = _within(self.kind.name, self.bounds)
        if self.lengths:
            name += f" with {_within('length', self.lengths)}"
        return name if self.multiple is None else f"{name}, a multiple of {self.multiple}"

    def choices(self) -> list[str]:
        return self.kind.choices()

    def accept(self, value: Any, raw: Texts | None = None) -> Any:
        try:
            taken = self.kind.accept(value, raw)
        except Mismatch as error:
            raise Mismatch(self.name, error.why) from None
        fits = all(SIGNS[sign](taken, bound) for sign, bound in self.bounds)
        fits = fits and all(SIGNS[sign](len(taken), bound) for sign, bound in self.lengths)
        if not fits or (self.multiple is not None and not _is_multiple(taken, self.multiple)):
            raise Mismatch(self.name)
        return taken

    def plain(self, value: Any) -> Any:
        return self.kind.plain(value)


def bare(kind: Kind) -> Kind:
    """Return the type without its range."""
    return kind.kind if isinstance(kind, Ranged) else kind


def ranged(kind: Kind, metadata: Iterable[Any], annotation: Callable[[], str]) -> Kind:
    """Return the type with the constraints of `Annotated[T, ...]`; metadata of other packages is ignored.

    In a union, the range applies to the members that can have it. DefinitionError if no member can.
    """
    bounds: list[tuple[str, Any]] = []
    lengths: list[tuple[str, int]] = []
    multiple = None
    for word in _words(metadata):
        name = type(word).__name__
        if name in RANGES:
            bounds.append((RANGES[name], getattr(word, name.lower())))
        elif name in LENGTHS:
            lengths.append((LENGTHS[name], word.min_length if name == "MinLen" else word.max_length))
        elif name == "MultipleOf":
            multiple = word.multiple_of
        else:
            known = ", ".join([*RANGES, "Interval", *LENGTHS, "Len", "MultipleOf"])
            raise DefinitionError(f"cannot be {annotation()}: {name} says nothing here; write one of {known}")
    numeric = bool(bounds) or multiple is not None
    if not numeric and not lengths:
        return kind
    made = Ranged(kind, tuple(bounds), tuple(lengths), multiple)
    members = list(kind.members) if isinstance(kind, Either) else [kind]
    fitting = [_can_have(member, made) for member in members]
    if not any(fitting):
        what = "a range is of an int or a float" if numeric else "a length is of a str, list or dict"
        raise DefinitionError(f"cannot be {annotation()}: {what}")
    _refuse_empty(made, annotation)
    held = [made.replace(kind=member) if can else member for member, can in zip(members, fitting, strict=True)]
    return Either(tuple(held)) if isinstance(kind, Either) else held[0]


def inherited(own: Kind, base: Kind | None) -> Kind:
    """Return the type of a field that a subclass redeclares, with the range that the base gives to the same type."""
    if base is None or own == base or isinstance(own, Ranged):
        return own
    if isinstance(base, Ranged) and base.kind == own:
        return base
    if isinstance(own, Either):
        return Either(tuple(inherited(member, base) for member in own.members))
    if isinstance(base, Either):
        return next((found for each in base.members if (found := inherited(own, each)) != own), own)
    if isinstance(own, Items) and isinstance(base, Items):
        return own.replace(item=inherited(own.item, base.item))
    if isinstance(own, Row) and isinstance(base, Row) and len(own.items) == len(base.items):
        return Row(tuple(map(inherited, own.items, base.items)))
    if isinstance(own, Table) and isinstance(base, Table):
        return own.replace(value=inherited(own.value, base.value))
    return own


def _words(metadata: Iterable[Any]) -> Iterable[Any]:
    """Yield the constraints of annotated-types, with `Interval` and `Len` unpacked."""
    library: Any = sys.modules.get("annotated_types")
    for word in metadata if library else ():
        if isinstance(word, library.BaseMetadata):
            yield word
        elif isinstance(word, library.GroupedMetadata):  # slower, since it is a protocol
            yield from _words(word)


def _is_multiple(value: Any, of: Any) -> bool:
    """Return whether a number is a multiple of another; of floats, as near as floats are: 0.3 is one of 0.1."""
    if isinstance(value, int) and isinstance(of, int):
        return value % of == 0
    count = value / of
    return math.isfinite(count) and math.isclose(count, round(count), rel_tol=1e-9)


def _can_have(kind: Kind, made: Ranged) -> bool:
    sized = isinstance(kind, (Items, Row, Table)) or kind == SCALARS[str]
    return (kind in NUMBERS or not (made.bounds or made.multiple is not None)) and (sized or not made.lengths)


def _refuse_empty(made: Ranged, annotation: Callable[[], str]) -> None:
    """Raise DefinitionError if a bound is not a number, or if no value lies within all bounds."""
    for bounds in (made.bounds, made.lengths):
        for _, bound in bounds:
            if type(bound) not in (int, float) or bound != bound:
                what = f"{bound!r} is not a number that a value can be compared with"
                raise DefinitionError(f"cannot be {annotation()}: {what}")
        least = [(bound, sign == ">") for sign, bound in bounds if sign in MIRRORED]
        most = [(bound, sign == "<") for sign, bound in bounds if sign not in MIRRORED]
        for low, above in least:
            for high, below in most:
                if low > high or (low == high and (above or below)):
                    raise DefinitionError(f"cannot be {annotation()}: no value is {_within('value', bounds)}")
    if made.multiple is not None and (type(made.multiple) not in (int, float) or not made.multiple > 0):
        raise DefinitionError(f"cannot be {annotation()}: a value is a multiple of a number above 0")


def _within(name: str, bounds: Iterable[tuple[str, Any]]) -> str:
    """Return `float > 0`, or `0 <= float < 1` if the bounds have both sides."""
    low = [(sign, bound) for sign, bound in bounds if sign in MIRRORED]
    high = [(sign, bound) for sign, bound in bounds if sign not in MIRRORED]
    if len(low) == len(high) == 1:
        return f"{low[0][1]} {MIRRORED[low[0][0]]} {name} {high[0][0]} {high[0][1]}"
    return " ".join([name, " and ".join(f"{sign} {bound}" for sign, bound in (*low, *high))]).rstrip()
