"""The choices of a program: each key that chooses a node, and its options, given the current overrides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from cn.composing.compose import assemble, root_name
from cn.composing.overrides import parse
from cn.composing.patches import KEY as PATCHES
from cn.composing.patches import patches_of
from cn.discovery import discover
from cn.errors import CNError
from cn.nodes.field_types import Child
from cn.nodes.node import CN
from cn.nodes.patch import Patch
from cn.nodes.resolving import kinds_of
from cn.nodes.traversal import address_of, walk


def keys(
    contract: Any, root: CN | None, words: Iterable[str] = (), *, again: bool = False
) -> Iterator[tuple[str, tuple[Any, ...], Child | None, Any]]:
    """Yield every key that chooses a node: its name, the types of its options, its field type, and the current node.

    The key `patches` is among them if there are patches, for a sweep also `base.patches`; words: the overrides, which
    may name some.
    again: the root is a run that was composed before.
    """
    yield root_name(contract), (contract,), None, root
    held = ("", *getattr(type(root), "_runs_", ())) if root is not None and any(discover.options((Patch,))) else ()
    for at in held:  # the root, and the runs that it holds, as a sweep does
        run = vars(root)[at] if at else root
        if isinstance(run, CN) and PATCHES not in kinds_of(run):
            key = f"{at}.{PATCHES}" if at else PATCHES
            named = [each for each in words if each.lstrip("+").replace("/", ".", 1).startswith(f"{key}=")]
            applied = patches_of(cast("CN", root), parse(named), at, again=again)
            chosen = {name: cls() for name, (cls, _) in applied.items()}
            yield key, (Patch,), Child((Patch,), many=True), chosen
    for address, node in walk(root) if root is not None else ():
        for name, kind in kinds_of(node).items():
            if isinstance(kind, Child):
                key = address_of(address, type(node), name)
                yield key.replace(".", "/"), kind.types, kind, node.__dict__.get(name)


def tolerant(start: Any, words: Iterable[str]) -> CN | None:
    """Compose a node and skip invalid words; None if nothing chooses a root."""
    kept: list[str] = []
    for word in words:
        try:
            assemble(start, [*kept, word])
        except CNError:
            continue
        kept.append(word)
    try:
        return assemble(start, kept)
    except discover.NoDefaultError:
        return None


def options_at(key: str, words: Iterable[str], contract: Any, base: CN | None = None) -> list[str]:
    """Return the options that `glob(...)` matches at a key; the other words may choose the node that has the key."""
    for name, types, *_ in keys(contract, tolerant(base if base is not None else contract, words)):
        if name == key:
            return list(discover.options(types)[0])
    return []
