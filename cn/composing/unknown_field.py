"""Explain an override of a field that does not exist: the nearest field, and options that have a field of that name."""
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from cn import program
from cn.composing.overrides import Assignment
from cn.composing.patches import KEY as PATCHES
from cn.composing.verbs import SIGNS
from cn.discovery import discover, registry
from cn.discovery.source import where
from cn.errors import UserError, hint, lines, nearest, short
from cn.nodes.field_types import Child
from cn.nodes.node import CN
from cn.nodes.patch import Patch
from cn.nodes.resolving import kinds_of
from cn.nodes.traversal import address_of, is_field, walk

if TYPE_CHECKING:
    from cn.composing.apply import Tree


def unknown_field(tree: Tree, each: Assignment, node: CN, at: int, types: tuple[Any, ...]) -> str:
    """Return the message about an override of a field that a node does not have.

    at: the place of the field in the path. types: the types of the field that holds the node; none for the root.
    """
    cls, name = type(node), each.path[at]
    types = types or tuple(base for base in cls.__mro__ if base is not CN and registry.is_contract(base))[:1]
    others = [option for option, kind in discover.options(types)[0].items() if name in cast("type[CN]", kind)._fields]
    has = f"a field of {registry.group_of(registry.home(types[0]))}={', '.join(others[:4])}" if others else None
    own = [address_of("", cls, field) for field in filter(is_field, cls._fields)]
    near = hint(name, own)
    children = [(address, type(child)) for address, child in walk(node) if address]
    below = [(address_of(address, each, field), field) for address, each in children for field in each._fields]
    likely = {name} if any(field == name for _, field in below) else set(nearest(name, [field for _, field in below]))
    if likely and (name in likely or not nearest(name, own)):
        found = [".".join([*each.path[:at], address]) for address, field in below if field in likely]
        near = _instead(tree, each, found[0], at) if name in likely and len(found) == 1 else None
        near = near or f"nearest: {', '.join(found)}"
    runs = ("", *getattr(type(tree.root), "_runs_", ()))
    held = next((at for at in runs if node is (vars(tree.root).get(at) if at else tree.root)), None)
    if held is not None:
        near = _other_word(node, each, held, own, near) or near
    what = f"{each.text}: {cls.__name__} has no field {short(name)!r}"
    return lines(what, where(cls), near, has, f"see: python {program.script} --help")


def _other_word(run: CN, each: Assignment, at: str, own: list[str], near: str) -> str | None:
    """Return what to write if the word means a patch, `experiment=fast` or `patch=debug`, or a whole run; else None.

    at: the field of the root that holds the run, "" if it is the root. near: the advice without that.
    """
    path = each.path[1:] if at else each.path
    name, key = path[0], f"{at}.{PATCHES}" if at else PATCHES
    if PATCHES in own:
        return None
    patches = discover.options((Patch,))[0]
    given: Any = each.texts
    listed = cast("list[Any]", given if isinstance(given, list) else [given])
    texts = [text for text in listed if isinstance(text, str)]
    meant = [next((one for one in (f"{name}/{text}", text) if one in patches), None) for text in texts]
    if meant and None not in meant and each.verb != "delete" and len(path) == 1:
        return f"write: {key}=[{','.join(map(str, meant))}]"
    if near.startswith("write: "):
        return None
    if patches and nearest(name, [*own, PATCHES])[:1] == [PATCHES]:
        return f"nearest: {key}"
    contract = next((base for base in type(run).__mro__ if base is not CN and registry.is_contract(base)), None)
    if at or contract is None or nearest(name, own) or len(texts) != 1 or len(path) > 1:
        return None
    group = registry.group_of(registry.home(contract))
    if name == group:
        return f"a {group} that was composed keeps its class; for a new one: python {program.script} {group}={texts[0]}"
    return f"write: {group}={texts[0]}" if texts[0] in discover.options((contract,))[0] else None


def _instead(tree: Tree, each: Assignment, address: str, at: int) -> str | None:
    """Return the override to write for a field that exists in a node below the given one, or None."""
    path = (*address.split("."), *each.path[at + 1 :])
    try:
        node, rest = tree.locate(each.replace(path=path))
    except UserError:
        return None
    chosen = isinstance(kinds_of(node)[rest[0]], Child)
    key = SIGNS[each.verb] + ("/" if chosen and each.verb != "delete" else ".").join(path)
    return f"write: {each.at(key) if each.raw is not None else key}"
