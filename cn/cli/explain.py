"""`--explain`: for each value of a composed run, the chain of places that set the value; the last one won."""
# pyright: reportPrivateUsage=false

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import MISSING
from pathlib import Path
from typing import Any, NamedTuple, cast

from cn import program
from cn.composing.apply import Tree
from cn.composing.class_changes import DEFAULTS, named_in
from cn.composing.compose import assemble, root_name
from cn.composing.finish import finish
from cn.composing.overrides import Assignment, parse
from cn.composing.patches import KEY as PATCHES
from cn.composing.patches import names_patches, patches_of
from cn.discovery import source
from cn.discovery.registry import is_bundle
from cn.errors import UserError, hint, short
from cn.nodes.bundle import holder_of
from cn.nodes.derived import Derived, derives
from cn.nodes.field_types import Bundled, Child, Kind
from cn.nodes.node import CN, CNMeta
from cn.nodes.resolving import kinds_of
from cn.nodes.traversal import address_of, alike, default_of, is_field, thaw, walk
from cn.table import fold
from cn.writing.displayed import displayed

WIDTH = 44  # columns; the maximum before the places


class Link(NamedTuple):
    """One place that set a value, and the value after it."""

    value: str
    place: str


class Row(NamedTuple):
    """One value: its final state, and the places that set it."""

    address: str
    now: str
    chain: list[Link]
    entries: tuple[str, ...] = ()  # keys of a dict, or indices of a list


class Step(NamedTuple):
    """A step from a node to one of its children."""

    holder: CN
    field: str
    entry: str | None  # key in a dict of nodes


class Traced(Tree):
    """A tree that records the origin of each node and the changes of each override."""

    def __init__(self, root: CN) -> None:
        super().__init__(root)
        self.above: dict[int, tuple[Step, ...]] = {}  # path from the class whose default created the node
        self.typed: dict[tuple[int, str], list[Link]] = {}
        self.nodes: list[CN] = []  # includes replaced nodes, so that no id is reused
        self._enter(root, ())
        self.at_first = {id(node): dict(vars(node)) for node in self.nodes}

    def choose(self, node: CN, kind: Child, rest: list[str], each: Assignment) -> None:
        before = vars(node).get(rest[0])
        super().choose(node, kind, rest, each)
        kept = _kept(before, vars(node).get(rest[0]), rest) if each.verb == "set" else ""
        self._note(node, rest[0], each, kept)

    def option(self, kind: Child, each: Assignment, option: Any, before: Any) -> Any:
        chosen = super().option(kind, each, option, before)
        if chosen is before:
            return chosen
        if isinstance(chosen, Bundled):
            for name, node in chosen.items():
                self._enter(node, (Step(holder_of(chosen.of), name, None),))
        else:
            self._enter(chosen, ())
        return chosen

    def set(self, node: CN, rest: list[str], each: Assignment) -> None:
        super().set(node, rest, each)
        self._note(node, rest[0], each)

    def derived(self, node: CN, name: str) -> None:
        super().derived(node, name)
        self._enter(node, self.above.get(id(node), ()))  # not known: `locate` has made it

    def _note(self, node: CN, name: str, each: Assignment, more: str = "") -> None:
        kind = kinds_of(node)[name]
        links = self.typed.setdefault((id(node), name), [])
        links.append(Link(_text(kind, {**vars(node), **node._late}[name]), each.origin + more))

    def _enter(self, node: CN, above: tuple[Step, ...]) -> None:
        self.nodes.append(node)
        self.above[id(node)] = above
        for name, value in vars(node).items():
            held = cast("dict[Any, Any]", value) if isinstance(value, dict) else {None: value}
            for entry, child in held.items():
                if isinstance(child, CN):
                    self._enter(child, (*above, Step(node, name, entry)))


def _kept(before: Any, now: Any, rest: list[str]) -> str:
    """Return `, which keeps its values` if a choice left a present node in place; else ""."""
    if isinstance(before, dict) and isinstance(now, dict):
        old, new = cast("dict[str, CN]", before), cast("dict[str, CN]", now)
        names = [name for name in rest[1:] or new if new[name] is old.get(name)]
        return f", where {', '.join(names)} {'keep their' if len(names) > 1 else 'keeps its'} values" if names else ""
    return ", which keeps its values" if now is before and now is not None else ""


def explain_text(contract: Any, base: CN | None, overrides: list[str], address: str, folder: Path | None) -> str:
    """Return the page of `--explain`: the value at the address and the values below it, or all values.

    base: the run that `folder` records, if any.
    Raises UserError if no value is at the address.
    """
    trees: list[Traced] = []

    def traced(root: CN) -> Tree:
        trees.append(Traced(root))
        return trees[0]

    root = assemble(base if base is not None else contract, overrides, traced)
    done, note = thaw(root), ""
    try:
        finish(done)
    except UserError as error:
        note = f"\n\nnot complete: {error}"
    rows = [_root(contract, root, overrides, folder), *_patches(root, overrides, again=base is not None)]
    rows += _rows(trees[0], root, done, folder)
    asked = address.replace("/", ".")
    places = [(row.address.replace("/", "."), row) for row in rows]
    chosen = [row for at, row in places if not asked or at == asked or at.startswith(f"{asked}.")]
    holder, _, entry = asked.rpartition(".")
    chosen = chosen or [row for at, row in places if at == holder and entry in row.entries]
    if not chosen:
        near = hint(asked, [row.address for row in rows])
        why = f"--explain {short(address)}: there is no value at {short(address)}"
        raise UserError(why, near, f"see: python {program.script} --help")
    return fold("\n".join(_page(chosen))) + note


def _root(contract: Any, root: CN, overrides: list[str], folder: Path | None) -> Row:
    name, cls = root_name(contract), type(root)
    word = next((each for each in overrides if each.lstrip("+").partition("=")[0] == name), None)
    how = f"--from {folder}" if folder else f"command line, {word}" if word else f"no {name}=NAME is given"
    return Row(name, f"= {cls.__name__}", [Link(cls.__name__, f"{source.place(cls)}; {how}")])


def _patches(root: CN, overrides: list[str], *, again: bool) -> Iterator[Row]:
    named = [each for each in parse(overrides) if names_patches(root, each)]
    applied = [patches_of(root, named[:count], again=again) for count in range(len(named) + 1)]
    links = [Link(_listed(now), each.origin) for now, each in zip(applied[1:], named, strict=True)]
    if applied[0] and (cls := named_in(type(root))) is not None:
        links.insert(0, Link(_listed(applied[0]), f"{cls.__name__}, {source.place(cls, DEFAULTS)}"))
    if links:
        yield Row(PATCHES, f"= {_listed(applied[-1])}", links)


def _listed(patches: Iterable[str]) -> str:
    return f"[{', '.join(patches)}]"


def _rows(tree: Traced, root: CN, done: CN, folder: Path | None) -> Iterator[Row]:
    assembled = dict(walk(root))
    for address, final in walk(done):
        node = assembled.get(address, final)  # a node that is derived was not assembled
        for name in filter(is_field, type(node)._fields):
            kind = kinds_of(node)[name]
            links = [*_classes(node, name, kind), *_presets(tree, node, name, kind)]
            first = tree.at_first.get(id(node), {}) if folder else {}
            if name in first:
                links.append(Link(_text(kind, first[name]), f"--from {folder}"))
            links += tree.typed.get((id(node), name), [])
            if name in vars(final):
                now = f"= {_text(kind, vars(final)[name])}"
            elif derives(final, name) is not None:
                now = "is derived once the run is complete"
            else:
                now = "is required and was not given"
            yield Row(address_of(address, type(node), name), now, links, _entries(vars(final).get(name)))


def _classes(node: CN, name: str, kind: Kind) -> Iterator[Link]:
    """Yield the default of each class that declares the field, base classes first."""
    for base in reversed(type(node).__mro__):
        if isinstance(base, CNMeta) and name in source.own_annotations(base) and name in base._fields:
            default = default_of(base._fields[name])
            derived = ", derived" if isinstance(default, Derived) else ""
            yield Link(_text(kind, default), f"{base.__name__}, {source.place(base, name)}{derived}")


def _presets(tree: Traced, node: CN, name: str, kind: Kind) -> Iterator[Link]:
    """Yield the values set by the classes above a node, as in `model: Model = ViT(depth=12)`; the outermost last."""
    steps = tree.above.get(id(node), ())
    before = default_of(type(node)._fields[name])
    for i in reversed(range(len(steps))):
        holder, field, _ = steps[i]
        found = _preset(steps[i:], type(node))
        given = {} if found is None else {**vars(found), **found._late}
        if name not in given:
            continue
        cls: Any = next(base for base in type(holder).__mro__ if field in source.own_annotations(base))
        set_here = not alike(given[name], before, nested=False)
        if set_here or _is_written(source.default(cls, field), steps[i:], name):
            before = given[name]
            yield Link(_text(kind, before), f"{cls.__name__}.{field}, {source.place(cls, field)}")


def _preset(steps: tuple[Step, ...], cls: type[CN]) -> CN | None:
    """Follow the steps from the first field's default; return the node there if it has that class, else None."""
    first: Any = type(steps[0].holder)
    at: Any = holder_of(first) if is_bundle(first) else first()
    for holder, field, entry in steps:
        if type(at) is not type(holder):
            return None
        at = vars(at).get(field)
        if entry is not None:
            at = cast("dict[str, Any]", at or {}).get(entry)
    return at if type(at) is cls else None


def _is_written(default: ast.expr | None, steps: tuple[Step, ...], name: str) -> bool:
    """Return whether the source of a default sets the field at the end of the steps, as `ViT(depth=9)` sets depth."""
    at = default
    for i, (_, field, entry) in enumerate(steps):
        if i:
            at = _keywords(at).get(field)
        if entry is not None:
            pairs = zip(at.keys, at.values, strict=True) if isinstance(at, ast.Dict) else ()
            at = next((value for key, value in pairs if isinstance(key, ast.Constant) and key.value == entry), None)
    return name in _keywords(at)


def _keywords(call: ast.expr | None) -> dict[str | None, ast.expr]:
    return {each.arg: each.value for each in call.keywords} if isinstance(call, ast.Call) else {}


def _entries(value: Any) -> tuple[str, ...]:
    if isinstance(value, dict):
        return tuple(str(getattr(key, "name", key)) for key in cast("dict[Any, Any]", value))
    return tuple(map(str, range(len(cast("list[Any]", value))))) if isinstance(value, (list, tuple)) else ()


def _text(kind: Kind, value: Any) -> str:
    if value is MISSING:
        return "required"
    if isinstance(value, Derived):
        return "derived"
    if isinstance(kind, Child) and kind.many:
        held = cast("dict[str, CN]", value or {})
        shown = ", ".join(f"{key}: {type(each).__name__}" for key, each in held.items())
        return "null" if value is None else f"{{{shown}}}"
    if isinstance(kind, Child):
        return "null" if value is None else type(value).__name__
    return displayed(kind, value)


def _page(rows: list[Row]) -> list[str]:
    """Format one line for a value with one place, else one line per place below it; all places in one column."""
    titles = [f"{row.address} {row.now}" for row in rows]
    ones = [title for title, row in zip(titles, rows, strict=True) if len(row.chain) == 1]
    values = [f"  {link.value}" for row in rows for link in row.chain if len(row.chain) > 1]
    width = max((len(each) for each in [*ones, *values] if len(each) <= WIDTH), default=0)
    page: list[str] = []
    for title, row in zip(titles, rows, strict=True):
        if len(row.chain) == 1:
            page.append(f"{title:{width}}  {row.chain[0].place}")
        else:
            page += [title, *(f"{f'  {link.value}':{width}}  {link.place}" for link in row.chain)]
    return page
