"""Compose a node class and overrides into a node.

The path of an override is walked from the root: at a node field the override chooses an option of the annotated type,
elsewhere it sets a value. Choices are applied before the values below them, so the order on the command line does not
matter. Then values are derived, each node checks itself, and the whole tree is frozen.
"""
# pyright: reportPrivateUsage=false
# (_fields and _derived belong to cn; no user field may have these names)

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cn.composing.apply import Tree, find, kinds, option_of
from cn.composing.deriving import derive_absent
from cn.composing.interpolation import readings, worked_out
from cn.composing.late import Place, set_derived
from cn.composing.overrides import Assignment, WordError, expand, of_hydra, parse
from cn.composing.patches import layers_of, of_patch
from cn.discovery import discover, registry
from cn.discovery.source import where
from cn.errors import CNError, MissingValueError, Notice, UnfinishedError, UserError, hint, lines
from cn.nodes.derived import Derived
from cn.nodes.field_types import Child
from cn.nodes.node import CN
from cn.nodes.texts import texts_of
from cn.nodes.to_json import plain
from cn.nodes.traversal import is_field, thaw, values, walk

if TYPE_CHECKING:
    from cn.composing.syntax_errors import Offer

T = TypeVar("T", bound=CN)
CHOSEN = " among what is chosen"
ORDER = {"set": 0, "force": 0, "delete": 1, "add": 2}


class RenamedWarning(Notice):
    """An override uses an old name of a field."""


def compose(what: type[T] | T, overrides: Iterable[str] = (), *, partial: bool = False) -> T:
    """Compose a node with overrides.

    what: a contract such as `Run`, of which `run=NAME` chooses an option (`default` if none is chosen); a node class;
        or an instance, to which the overrides are applied.
    partial: required fields may stay without a value, and so may what is derived from them; to read such a field raises
        MissingValueError or UnfinishedError. A check that needs it is left out.
    Returns the instance, frozen. Raises UserError for an invalid override or value, before anything is built.
    """
    root = assemble(what, overrides)
    finish(root, partial=partial)
    return root


def assemble(what: type[T] | T, overrides: Iterable[str] = (), tree_of: Callable[[CN], Tree] = Tree) -> T:
    """Apply the overrides only: values are not yet derived, checked or frozen, and required fields may be missing.

    tree_of: makes the tree that the overrides are applied to; a subclass of Tree may record the changes.
    """
    overrides = overrides if isinstance(overrides, str) else list(overrides)
    try:
        assignments = parse(overrides)
    except WordError as error:
        raise fitting(error, what, overrides) from None
    for each in assignments:
        if of_hydra(each.text):
            why = f"{each.text} is Hydra's own, and belongs on the command line of the program"
            raise UserError(lines(why, "leave it out of compose()"))
        if each.path[0] == "hydra":
            why = f"{each.text}: hydra is Hydra's own configuration, and neither a field nor a group"
            raise UserError(lines(why, "write: hydra.NAME=VALUE or hydra/GROUP=NAME"))
    if isinstance(what, type):
        root, assignments = _root(what, assignments)
    else:
        root = cast("T", thaw(what))
        if assignments:
            _underive(root)
    layers = layers_of(root, assignments)
    tree = tree_of(root)
    late: list[Place] = []
    derived: dict[tuple[int, ...], Place] = {}
    for node, rest, each in _chosen(tree, layers):
        derived.pop(where_set := (id(node), *map(hash, rest)), None)
        if isinstance(each.value, Derived):
            derived[where_set] = (node, rest, each)
            continue
        if each.interpolated:
            late.append((node, rest, each))
            continue
        with of_patch(root, each):
            tree.set(node, kinds(node)[rest[0]], rest, each, each.value)
    _tell_renamed(tree, [each for layer in layers for each in layer])
    if late:
        found = worked_out(plain(root, tagged=False), [each for *_, each in late])
        for (node, rest, each), value in zip(late, found, strict=True):
            _set_first(tree, node, rest, readings(value, each))
    if derived:
        set_derived(tree, derived.values())
    return root


def _chosen(tree: Tree, layers: list[list[Assignment]]) -> list[Place]:
    """Choose the nodes of all layers; return the overrides of values, with their nodes, in the order to set them.

    A choice is left out if a later layer chooses at the same path, or lists all entries of a dict of nodes anew.
    """
    each_one = [(i, each) for i, layer in enumerate(layers) for each in layer]
    last = {each.path: i for i, each in each_one if each.verb in ("set", "force")}
    emptied = {**last, **{each.path: i for i, each in each_one if each.verb == "delete" and each.raw is None}}
    found: list[list[Place]] = [[] for _ in layers]
    for i, each in sorted(each_one, key=lambda pair: (len(pair[1].path), pair[0], *_order(pair[1]))):
        with of_patch(tree.root, each):
            node, rest = tree.locate(each)
            kind = kinds(node)[rest[0]]
            if not isinstance(kind, Child):
                found[i].append((node, rest, each))
            elif i >= last.get(each.path, 0) and (len(rest) == 1 or i >= emptied.get(each.path[:-1], 0)):
                tree.choose(node, kind, rest, _option(each, tree.root) if each.interpolated else each)
    return [place for layer in found for place in layer]


def _order(each: Assignment) -> tuple[bool, int]:
    return each.interpolated, ORDER[each.verb]


def _tell_renamed(tree: Tree, assignments: list[Assignment]) -> None:
    """Warn of each old name of a field; UserError if the new name has a value too."""
    for text, path in tree.renamed.items():
        now, other = ".".join(path), next((each for each in assignments if each.path == path), None)
        if other is not None:
            raise UserError(lines(f"{text} and {other.text} set one field, which is called {now} now", "keep one"))
        warnings.warn(f"{text}: this field is called {now} now", RenamedWarning, stacklevel=3)


def fitting(error: WordError, what: Any, words: Iterable[str]) -> WordError:
    """Return the error about a word, with only those offers that can be composed."""
    kept: list[str] = []
    for word in words:
        if word == error.word:
            continue
        with contextlib.suppress(CNError):
            first = expand([word], lambda key: [])[0]
            assemble(what, [*kept, *first])
            kept += first

    def fits(offer: Offer) -> bool:
        if of_hydra(offer.word) or "=glob(" in offer.word:
            return True
        try:
            rows = expand([offer.word], lambda key: []) if offer.several else [[offer.word]]
            for row in rows if offer.word != error.word else rows[:1]:
                assemble(what, [*kept, *row])
        except CNError:
            return False
        return True

    return error.fitting(fits)


def finish(root: CN, *, partial: bool = False) -> None:
    """Check required fields, derive values, run `check()` and freeze. partial: as in `compose`."""
    unset = [
        (f"{address}.{name}" if address else name, node, name, isinstance(field.default, Derived))
        for address, node in walk(root)
        for name, field in type(node)._fields.items()
        if name not in node.__dict__
    ]
    missing = [(key, node, name) for key, node, name, derived in unset if is_field(name) and not derived]
    if missing and not partial:
        key, node, name = missing[0]
        kind = kinds(node)[name]
        given = key.replace(".", "/") if isinstance(kind, Child) else key
        also = f"also required: {', '.join(key for key, *_ in missing[1:])}" if missing[1:] else None
        raise UserError(
            lines(
                f"{key} is required and was not given",
                where(type(node), name),
                also,
                f"write: {given}=... ({kind.name})",
            )
        )
    if unset:
        derive_absent(root, partial=partial)
    nodes = list(walk(root))
    for address, node in reversed(nodes):
        kinds(node)  # an annotation with undefined names must be resolvable now
        with contextlib.suppress(*((MissingValueError, UnfinishedError) if partial else ())):
            _check(node, f"{address}: " if address else "")
    for _, node in nodes:
        object.__setattr__(node, "_frozen", True)


def root_name(contract: type[CN]) -> str:
    """Return the group of the root: `run`."""
    return registry.group_of(registry.home(contract))


def _root(what: type[T], assignments: list[Assignment]) -> tuple[T, list[Assignment]]:
    if not registry.is_contract(what):
        if inspect.isabstract(what):
            missing = ", ".join(f"{method}()" for method in sorted(what.__abstractmethods__))
            raise UserError(lines(f"{what.__name__} cannot be composed: it does not define {missing}", where(what)))
        return what(), assignments
    name = root_name(what)
    chosen = next((each for each in assignments if each.path == (name,)), None)
    if chosen is None:
        try:
            return cast("type[T]", find((what,), "default", f"{name}=default"))(), assignments
        except discover.NoOptionError:
            choices = hint("", discover.options((what,))[0])
            why = f"no {name} is chosen, and none is called 'default'"
            raise discover.NoDefaultError(lines(why, choices, f"write: {name}=NAME")) from None
    if chosen.verb not in ("set", "force") or not isinstance(chosen.value, (str, int, float)):
        raise UserError(lines(f"{chosen.text}: one {name} is chosen, by its name", f"write: {name}=NAME"))
    option = str(worked_out({}, [chosen], CHOSEN)[0]) if chosen.interpolated else str(chosen.texts or "")
    rest = [each for each in assignments if each is not chosen]
    return cast("type[T]", find((what,), option, chosen.text))(), rest


def _underive(root: CN) -> None:
    for _, node in walk(root):
        for name in node._derived:
            vars(node).pop(name, None)
        object.__setattr__(node, "_derived", frozenset())


def _option(each: Assignment, root: CN) -> Assignment:
    """Resolve the interpolation in a choice, such as `teacher=${model}` or `model=${oc.env:MODEL}`."""
    chosen = {name: option_of(child) for name, child in values(root).items() if isinstance(child, CN)}
    value = worked_out(chosen, [each], CHOSEN)[0]
    return each.replace(value=value, raw=str(value), texts=texts_of(value))


def _set_first(tree: Tree, node: CN, rest: list[str], candidates: list[Assignment]) -> None:
    """Set the first value that fits; an error is about the last one."""
    for each in candidates[:-1]:
        with contextlib.suppress(UserError):
            return tree.set(node, kinds(node)[rest[0]], rest, each, each.value)
    each = candidates[-1]
    return tree.set(node, kinds(node)[rest[0]], rest, each, each.value)


def _check(node: CN, subject: str) -> None:
    try:
        node.check()
    except CNError:
        raise
    except ValueError as error:
        raise UserError(lines(f"{subject}{error}", f"{type(node).__name__} is {where(type(node))}")) from None
    except Exception as error:
        why = f"{subject}{type(node).__name__} cannot be checked: {type(error).__name__}: {error}"
        raise UserError(lines(why, where(type(node)))) from error
