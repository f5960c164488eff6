"""The patches that `patches=[debug,wide]` names, as overrides that come before the typed ones."""
# pyright: reportPrivateUsage=false

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Generator
from typing import Any, cast

from cn.composing.class_changes import KEEPS, find_patch, kept_by, patches_by
from cn.composing.interpolation import worked_out
from cn.composing.options import find
from cn.composing.overrides import Assignment, path_of
from cn.composing.verbs import VERBS
from cn.discovery import discover
from cn.errors import Notice, UserError, hint, lines, short
from cn.nodes.containers import Table
from cn.nodes.field_types import Child, Kind
from cn.nodes.node import CN
from cn.nodes.patch import Change, Patch
from cn.nodes.resolving import by_key, kinds_of, resolve
from cn.nodes.target import EXTRA
from cn.nodes.traversal import address_of, is_field

KEY = "patches"
TYPED = contextlib.nullcontext()  # of an override that is typed, whose errors are raised as they are


def layers_of(root: CN, typed: list[Assignment], *, again: bool = False) -> list[list[Assignment]]:
    """Return the changes of each patch that applies, in order, and then the other overrides.

    A root that holds a whole run, as a sweep does, takes `base.patches=[debug]` for it.
    again: the root has been composed before, so its class applies no patches, and what the class keeps is kept only in
        nodes that are chosen anew.
    """
    runs = ("", *getattr(type(root), "_runs_", ()))
    rest = [each for each in typed if not any(names_patches(root, each, at) for at in runs)]
    layers = [
        [_assignment(f"patch {name}, ", each, at, by) for each in cls.all_changes()]
        for at in runs
        for name, (cls, by) in patches_of(root, typed, at, again=again).items()
    ]
    kept = [_assignment(f"{KEEPS}, ", each, at) for at in runs for each in kept_by(_class_at(root, typed, at))]
    if again:
        changed = {each.path for layer in (*layers, rest) for each in layer}
        kept = [each for each in kept if any(each.path[:depth] in changed for depth in range(1, len(each.path)))]
    return [kept, *layers, rest]


def _class_at(root: CN, typed: list[Assignment], at: str) -> type[Any]:
    """Return the class of the root, or of the run in one of its fields, which an override may choose."""
    if not at:
        return type(root)
    for each in typed:
        if each.path == (at,) and each.verb in ("set", "force") and isinstance(each.texts, str):
            return find(cast("Child", kinds_of(root)[at]).types, each.texts, each.text)
    return cast("type[Any]", type(vars(root).get(at)))


def patches_of(
    root: CN, typed: list[Assignment], at: str = "", *, again: bool = False
) -> dict[str, tuple[type[Patch], str]]:
    """Return the patches that apply, by name, each with a suffix for messages: `, which Short applies`.

    Those of the class come first, unless `patches=` replaces them, and then the typed ones. There are none if the run
    has a field `patches`. at: of the root, or of a run that it holds. again: the root has been composed before.
    Raises UserError for an unknown patch, and for one that is named twice.
    """
    naming = [each for each in typed if names_patches(root, each, at)]
    found: dict[str, tuple[type[Patch], str]] = {}
    if not any(each.verb != "add" for each in naming) and _applies(root, typed, at, again=again):
        cls = _class_at(root, typed, at)
        found = {name: (patch, f", which {cls.__name__} applies") for name, patch in patches_by(cls).items()}
    for each in naming:
        for name in _named(each, at):
            if name in found:
                twice = "is applied by the class" if found[name][1] else "is named twice"
                raise UserError(f"{each.text}: the patch {name} {twice}", "keep one of them")
            found[name] = find_patch(name, each.text), ""
    return found


def _applies(root: CN, typed: list[Assignment], at: str, *, again: bool) -> bool:
    """Return whether the class of a run applies its patches: not to a composed run, nor where the root varies them."""
    if not at:
        return not again and KEY not in type(root)._fields
    anew = any(each.path == (at,) for each in typed)
    varied = getattr(root, "_varied_", None)
    return (anew or not again) and not (varied is not None and KEY in varied())


def of_patch(root: CN, each: Assignment) -> contextlib.AbstractContextManager[None]:
    """Context manager: name the patch in errors. If the node of a change is not chosen, warn and skip the change."""
    return _of_patch(root, each) if each.place else TYPED


@contextlib.contextmanager
def _of_patch(root: CN, each: Assignment) -> Generator[None]:
    try:
        yield
    except UserError as error:
        if each.place.startswith(KEEPS) and each.verb == "add":  # what the option has itself stays
            return
        told = error
        try:
            why = _waiting(root, each)
        except UserError as nowhere:
            why, told = None, nowhere
        if why is not None:
            if not each.place.startswith(KEEPS):
                warnings.warn(f"{each.place}: {each.text} is not set, since {why}", Notice, stacklevel=4)
            return
        what, *more = str(told).split("\n  ")
        if (held := _run_with(root, each)) is not None:
            name = each.place.partition(",")[0].removeprefix("patch ")
            more = [*more[:1], f"write: {held}.{KEY}={name}", *more[-1:]]
        raise type(told)(what, each.place, *more[:4]) from None


def _run_with(root: CN, each: Assignment) -> str | None:
    """Return the field of the root, such as `base`, whose run has the changed field if the root lacks it; else None."""
    names = getattr(type(root), "_runs_", ()) if _kind(type(root), each.path[0]) is None else ()
    held = {name: run for name in names if isinstance(run := vars(root).get(name), CN)}
    return next((name for name, run in held.items() if _kind(type(run), each.path[0]) is not None), None)


def _waiting(root: CN, each: Assignment) -> str | None:
    """Return why a change cannot apply to the chosen nodes, but could to other options; None if it never could."""
    node, path, at = root, each.path, 0
    types: tuple[Any, ...] = ()
    while at < len(path):
        here, kind = ".".join(path[:at]), _kind(type(node), path[at])
        if kind is None:
            return f"{here} is {type(node).__name__}" if at and _possible(types, path[at:], each.verb) else None
        at += 1
        if not isinstance(kind, Child) or at == len(path):
            return None
        below, types = vars(node).get(_name(type(node), path[at - 1])), kind.types
        why = f"{'.'.join(path[:at])} is not chosen"
        if kind.many:
            why = f"{'.'.join(path[:at])} holds no {path[at]!r}"
            below = cast("dict[str, Any]", below or {}).get(path[at])
            at += 1
        if not isinstance(below, CN):
            if at < len(path) and not _possible(types, path[at:], each.verb):
                raise UserError(_nowhere(each, path[:at], path[at:], types))
            return why if at < len(path) or each.verb == "delete" else None
        node = below
    return None


def _possible(types: tuple[Any, ...], path: tuple[str, ...], verb: str) -> bool:
    """Return whether an option of these types has a field at the end of the path, or `extra`, which takes any key."""
    for cls in (*types, *discover.options(types)[0].values()) if path else ():
        kind = _kind(cls, path[0])
        if kind is None and verb in ("add", "force") and isinstance(_kind(cls, EXTRA), Table):
            return True
        if kind is not None and (not isinstance(kind, Child) or _possible(kind.types, path[1 + kind.many :], verb)):
            return True
    return not path


def _nowhere(each: Assignment, at: tuple[str, ...], path: tuple[str, ...], types: tuple[Any, ...]) -> str:
    """Return the message about a change of a field that no option has; path: from the node on."""
    options: list[Any] = list(discover.options(types)[0].values())
    keys = {address_of("", cls, name) for cls in options for name in cls._fields if is_field(name)}
    return lines(f"{each.text}: no option of {'.'.join(at)} has a field {short('.'.join(path))!r}", hint(path[0], keys))


def _kind(cls: Any, key: str) -> Kind | None:
    return (resolve(cls, strict=False) or {}).get(_name(cls, key))


def _name(cls: Any, key: str) -> str:
    return by_key(cls).get(key, key) if resolve(cls, strict=False) else key


def names_patches(root: CN, each: Assignment, at: str = "") -> bool:
    """Return whether an override names patches of the root, or of a run that it holds."""
    path = (at, KEY) if at else (KEY,)
    run = vars(root).get(at) if at else root
    return each.path[: len(path)] == path and isinstance(run, CN) and KEY not in type(run)._fields


def _named(each: Assignment, at: str) -> list[str]:
    """Return the names in `patches=[a,b]`."""
    value: Any = worked_out({}, [each])[0] if each.interpolated else each.texts
    names = cast("list[Any]", value if isinstance(value, list) else [] if each.value is None else [value])
    key = f"{at}.{KEY}" if at else KEY
    named = all(isinstance(name, str) and name for name in names)
    if len(each.path) > 1 + bool(at) or each.verb == "delete" or not named:
        raise UserError(f"{each.text}: patches are chosen by their names", f"write: {key}=[NAME,NAME]")
    return names


def _assignment(before: str, change: Change, at: str, after: str = "") -> Assignment:
    sign, key = re.fullmatch(r"(~|\+{0,2})(.*)", change.key, re.DOTALL).groups()  # pyright: ignore[reportOptionalMemberAccess]
    bare = sign == "~" and change.value is None
    path = path_of(key)
    if at:
        key, path = f"{at}.{key}", (at, *path)
    word = f"{sign}{key}" if bare else f"{sign}{key}={'null' if change.value is None else change.value}"
    raw = None if bare else short(repr(change.value))
    return Assignment(word, VERBS[sign], key, path, change.value, raw, None, f"{before}{change.place}{after}")
