"""Compare what Hydra composes with what the classes compose: the first difference, if there is one."""

from __future__ import annotations

import re
from ast import literal_eval
from typing import Any, NamedTuple, cast

from cn.importing.defaults_lists.contents import MISSING
from cn.importing.families.families import Families, Family, Field
from cn.importing.families.types import scalars
from cn.importing.proof.by_hydra import key_text

NOTHING = object()
UNKNOWN = (MISSING, "<missing>")


class Difference(NamedTuple):
    """The first value that differs."""

    keys: tuple[str, ...]
    hydra: Any
    ours: Any

    @property
    def address(self) -> str:
        return ".".join(self.keys)


class Comparison:
    """Compares results.

    given: addresses that the command line sets; such a value takes the type of the field. unchosen: addresses of groups
    of which nothing is chosen; what YAML sets there waits for a choice. patches: addresses of groups of patches, where
    Hydra leaves an empty mapping.
    """

    def __init__(
        self,
        families: Families,
        given: set[tuple[str, ...]],
        unchosen: frozenset[tuple[str, ...]] = frozenset(),
        patches: frozenset[tuple[str, ...]] = frozenset(),
    ) -> None:
        self.families, self.given, self.unchosen, self.patches = families, given, unchosen, patches

    def difference(self, hydra: Any, ours: Any) -> Difference | None:
        """Return the first difference of two whole runs."""
        return self._branch(hydra, ours, self.families.run, ())

    def _branch(self, hydra: Any, ours: Any, family: Family | None, at: tuple[str, ...]) -> Difference | None:
        if isinstance(hydra, list) and isinstance(ours, dict) and {"items"} == {*ours} - {"extra"}:
            return self._value(hydra, ours["items"], None, at)
        if not isinstance(hydra, dict) or not isinstance(ours, dict):
            return self._leaf(hydra, ours, at)
        one, other = cast("dict[str, Any]", hydra), cast("dict[str, Any]", ours)
        if family is not None:
            fields = family.fields.values()
            if family is self.families.run and not any(each.name == "launch" for each in fields):
                other = {name: value for name, value in other.items() if name != "launch"}
            keys = {each.name: key_text(each.key) for each in fields if not _is_new_name(each)}
            other = {keys.get(name, name): value for name, value in other.items()}
            extra: Any = other.pop("extra", {}) if "extra" not in family.fields else {}
            if isinstance(extra, str):  # nothing in it can be worked out
                extra = dict.fromkeys((key for key in one if key not in other), extra)
            other |= cast("dict[str, Any]", extra)
        for key in [*one, *(key for key in other if key not in one)]:
            field = family.fields.get(_key(key)) if family is not None else None
            left, right = one.get(key, NOTHING), other.get(key, NOTHING)
            found = self._value(left, right, field, (*at, key))
            if found is not None:
                return found
        return None

    def _value(self, left: Any, right: Any, field: Field | None, at: tuple[str, ...]) -> Difference | None:
        if (
            field is not None
            and (field.groups or field.family or field.derived)
            and _is_nothing(left)
            and _is_nothing(right)
        ):
            return None
        if _is_nothing(right) and (at in self.unchosen or self._waits(left) or left == MISSING):
            return None
        if left == {} and right is NOTHING and at in self.patches:
            return None
        if left is NOTHING and _is_missing(right):
            return None
        if isinstance(left, (dict, list)) and _is_error(right) and any(map(_is_error, scalars(left))):
            return None  # CN works a value out as a whole
        if (isinstance(left, dict) and isinstance(right, dict)) or (isinstance(left, list) and isinstance(right, dict)):
            return self._branch(left, right, self._family(field, cast("dict[str, Any]", right)), at)
        if isinstance(left, list) and isinstance(right, list):
            ones, others = cast("list[Any]", left), cast("list[Any]", right)
            if len(ones) != len(others):
                return Difference(at, left, right)
            for place, (one, other) in enumerate(zip(ones, others, strict=True)):
                found = self._value(one, other, None, (*at, str(place)))
                if found is not None:
                    return found
            return None
        return self._leaf(left, right, at)

    def _family(self, field: Field | None, ours: dict[str, Any]) -> Family | None:
        """Return the family of a node: of those that a field can hold, the first with all of its fields."""
        held = [*self.families.every_of(field), *field.derived] if field is not None else []
        fits = (each for each in held if {*ours} <= {*(one.name for one in each.fields.values()), "extra"})
        return next(fits, next(iter(held), None))

    def _waits(self, left: Any) -> bool:
        """Return whether Hydra cannot interpolate a value since nothing of its group is chosen."""
        found = re.search(r"Interpolation key '([^']*)' not found", left) if isinstance(left, str) else None
        return found is not None and tuple(found[1].split(".")) in self.unchosen

    def _leaf(self, left: Any, right: Any, at: tuple[str, ...]) -> Difference | None:
        left = _evaluated(left)
        if _alike(left, right):
            return None
        if any(at[: len(each)] == each or each[: len(at)] == at for each in self.given) and _spelt(left) == str(right):
            return None
        return Difference(at, left, right)


def _is_new_name(field: Field) -> bool:
    """Return whether a field has another name than its key, which is a text; one for a number is not a difference."""
    return field.is_renamed and isinstance(field.key, str)


def _key(key: str) -> Any:
    found = re.fullmatch(r"<(int|bool|float):(.+)>", key)
    return literal_eval(found[2]) if found else key


def _spelt(value: Any) -> str:
    """Return a value as it is typed."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_nothing(value: Any) -> bool:
    return value is NOTHING or value is None or value == {} or value in UNKNOWN


def _is_missing(value: Any) -> bool:
    """Return whether a value, or each below it, is required and was not given."""
    if isinstance(value, dict):
        return all(map(_is_missing, cast("dict[str, Any]", value).values()))
    return value in UNKNOWN


def _alike(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, str) and left.startswith("<float:") and isinstance(right, float):
        return str(right) == left[7:-1]
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return left == right
    if (isinstance(left, str) and left.startswith("<error:")) or left == "???":
        return _is_error(right)
    return type(left) is type(right) and left == right


def _is_error(value: Any) -> bool:
    return isinstance(value, str) and (value.startswith("<error:") or value in UNKNOWN)


def _evaluated(value: Any) -> Any:
    """Return what an expression gives whose resolver was a stub."""
    if isinstance(value, str) and value.startswith("<eval:") and value.endswith(">"):
        try:
            return eval(value[6:-1])
        except Exception:
            return f"<error:eval:{value}>"
    return value
