"""What the class of a run changes by itself: `_keeps_` whatever is chosen, `_patches_` unless others are named."""

from __future__ import annotations

import functools
from typing import Any, cast

from cn.discovery import discover
from cn.discovery.source import place
from cn.errors import UserError, short
from cn.nodes.patch import Change, Patch

KEEPS = "_keeps_"  # changes that hold whatever is chosen, before all patches: {"optim.lr": 0.1}
DEFAULTS = "_patches_"  # the names of patches that apply unless others are named: ["debug"]


@functools.cache
def kept_by(cls: type[Any]) -> list[Change]:
    """Return the changes that a class of runs keeps whatever is chosen."""
    found: dict[str, Change] = {}
    for base in reversed(cls.__mro__):
        given: Any = vars(base).get(KEEPS, {})
        keys: list[Any] = list(cast("dict[Any, Any]", given)) if isinstance(given, dict) else [None]
        if not all(isinstance(key, str) for key in keys):
            said = short(repr(cast("object", given)))
            what = f"{base.__name__}.{KEEPS} is {said}, and not changes by their keys"
            raise UserError(what, f"defined in {place(base, KEEPS)}", f'write: {KEEPS} = {{"seed": 1}}')
        for key, value in cast("dict[str, Any]", given).items():
            found[key.lstrip("+").replace("/", ".")] = Change(key, value, place(base, KEEPS, key))
    return list(found.values())


@functools.cache
def patches_by(cls: type[Any]) -> dict[str, type[Patch]]:
    """Return the patches that a class of runs applies by default, by name. A subclass inherits or replaces the list.

    Raises UserError for what is no list of names, for an unknown patch, and for one that is named twice.
    """
    holder = named_in(cls)
    found: dict[str, type[Patch]] = {}
    if holder is None:
        return found
    said, there = f"{holder.__name__}.{DEFAULTS}", f"defined in {place(holder, DEFAULTS)}"
    given: Any = vars(holder)[DEFAULTS]
    names = cast("list[Any]", given if isinstance(given, (list, tuple)) else [None])
    if not all(isinstance(name, str) and name for name in names):
        raise UserError(f"{said} is {short(repr(cast('Any', given)))}", 'write: _patches_ = ["NAME", "NAME"]', there)
    for name in cast("list[str]", names):
        if name in found:
            raise UserError(f"{said}: the patch {name} is named twice", "keep one of them", there)
        found[name] = find_patch(name, said, there)
    return found


def named_in(cls: type[Any]) -> type[Any] | None:
    """Return the class that names the patches of a class of runs: itself or a base; None if no class does."""
    return next((base for base in cls.__mro__ if DEFAULTS in vars(base)), None)


def find_patch(name: str, said: str, *there: str) -> type[Patch]:
    """Return the patch of that name. For an error, said: what names it; there: lines about the place."""
    if not any(discover.options((Patch,))):
        raise UserError(f"{said}: there is no patch", *there, "write: class NAME(Patch) in runs/patches/NAME.py")
    try:
        return cast("type[Patch]", discover.find((Patch,), name))
    except UserError as error:
        what, *more = str(error).split("\n  ")
        raise type(error)(f"{said}: {what}", *there, *more) from None
