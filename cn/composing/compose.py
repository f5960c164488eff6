"""Compose a node class and overrides into a node.

The path of an override is walked from the root: at a node field the override chooses an option of the annotated type,
elsewhere it sets a value. Choices are applied before the values below them, so the order on the command line does not
matter. Then values are derived, each node checks itself, and the whole tree is frozen.
"""
# pyright: reportPrivateUsage=false

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Callable, Container, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cn.composing.apply import DerivedChild, Tree
from cn.composing.class_changes import KEEPS
from cn.composing.finish import finish
from cn.composing.interpolation import readings, worked_out
from cn.composing.options import find, option_of
from cn.composing.overrides import Assignment, WordError, expand, of_hydra, parse
from cn.composing.patches import layers_of, of_patch
from cn.discovery import discover, registry
from cn.discovery.source import where
from cn.errors import CNError, Notice, UserError, hint
from cn.nodes.derived import derives
from cn.nodes.field_types import Child
from cn.nodes.node import CN
from cn.nodes.resolving import kinds_of
from cn.nodes.texts import texts_of
from cn.nodes.to_json import plain
from cn.nodes.traversal import address_of, thaw, values, walk

if TYPE_CHECKING:
    from cn.composing.syntax_errors import Offer

T = TypeVar("T", bound=CN)
Place = tuple[CN, list[str], Assignment]  # the node that holds the field, and the path from there
CHOSEN = " among what is chosen"


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


def assemble(
    what: type[T] | T, overrides: Iterable[str] = (), tree_of: Callable[[CN], Tree] = Tree, keep: Container[int] = ()
) -> T:
    """Apply the overrides only: values are not yet derived, checked or frozen, and required fields may be missing.

    tree_of: makes the tree that the overrides are applied to; a subclass of Tree may record the changes.
    keep: the ids of nodes of a composed instance that the result shares, as far as no override changes them; see
        `settled`.
    """
    overrides = overrides if isinstance(overrides, str) else list(overrides)
    try:
        assignments = parse(overrides)
    except WordError as error:
        raise fitting(error, what, overrides) from None
    for each in assignments:
        if of_hydra(each.text):
            why = f"{each.text} is Hydra's own, and belongs on the command line of the program"
            raise UserError(why, "leave it out of compose()")
        if each.path[0] == "hydra":
            why = f"{each.text}: hydra is Hydra's own configuration, and neither a field nor a group"
            raise UserError(why, "write: hydra.NAME=VALUE or hydra/GROUP=NAME")
    if isinstance(what, type):
        root, assignments = _root(what, assignments)
    else:
        root = cast("T", thaw(what, keep))
        if assignments:
            _underive(root, keep)
    layers = layers_of(root, assignments, again=not isinstance(what, type) and what._frozen)
    given = [each for layer in layers for each in layer]
    tree = tree_of(root)
    while waiting := _apply(tree, layers):
        node, name, layers = waiting
        tree.derived(node, name)
    _tell_renamed(tree, given)
    return root


def _apply(tree: Tree, layers: list[list[Assignment]]) -> tuple[CN, str, list[list[Assignment]]] | None:
    """Apply the overrides of all layers. Return a derived node that is to be computed, and the overrides within it."""
    places, waiting = _chosen(tree, layers)
    for node, rest, each in places:
        if not each.interpolated:
            with of_patch(tree.root, each):
                tree.set(node, rest, each)
    if late := [place for place in places if place[2].interpolated]:
        asked = [each for *_, each in late]
        found = worked_out(plain(tree.root, tagged=False), asked, later=lambda: _derived_later(tree.root))
        for (node, rest, each), value in zip(late, found, strict=True):
            _set_first(tree, node, rest, readings(value, each))
    return waiting


def _derived_later(root: CN) -> set[str]:
    """Return the addresses of derived fields without a value yet."""
    return {
        address_of(address, type(node), name)
        for address, node in walk(root)
        for name in kinds_of(node)
        if derives(node, name) is not None
    }


def _chosen(
    tree: Tree, layers: list[list[Assignment]]
) -> tuple[list[Place], tuple[CN, str, list[list[Assignment]]] | None]:
    """Choose the nodes of all layers; return the overrides of values, with their nodes, in the order to set them.

    A choice is left out if a later layer chooses at the same path, or lists all entries of a dict of nodes anew.
    Overrides within a derived node are returned too, with that node.
    """
    each_one = [(i, each) for i, layer in enumerate(layers) for each in layer]
    last = {each.path: i for i, each in each_one if each.verb in ("set", "force")}
    emptied = {**last, **{each.path: i for i, each in each_one if each.verb == "delete" and each.raw is None}}
    found: list[list[Place]] = [[] for _ in layers]
    waiting: list[list[Assignment]] = [[] for _ in layers]
    derived: DerivedChild | None = None
    for i, each in sorted(each_one, key=lambda pair: (len(pair[1].path), pair[0], *pair[1].order)):
        with of_patch(tree.root, each):
            try:
                node, rest = tree.locate(each)
            except DerivedChild as child:
                waiting[i].append(each)
                derived = derived or child
                continue
            kind = kinds_of(node)[rest[0]]
            if each.verb == "add" and each.place.startswith(KEEPS) and len(rest) == 1 and derives(node, rest[0]):
                continue  # a class keeps it for options without the field, and here the field is derived
            if not isinstance(kind, Child):
                found[i].append((node, rest, each))
            elif i >= last.get(each.path, 0) and (len(rest) == 1 or i >= emptied.get(each.path[:-1], 0)):
                tree.choose(node, kind, rest, _option(each, tree.root) if each.interpolated else each)
    places = [place for layer in found for place in layer]
    return places, None if derived is None else (derived.node, derived.name, waiting)


def _tell_renamed(tree: Tree, assignments: list[Assignment]) -> None:
    """Warn of each old name of a field; UserError if the new name has a value too."""
    for text, path in tree.renamed.items():
        now, other = ".".join(path), next((each for each in assignments if each.path == path), None)
        if other is not None:
            raise UserError(f"{text} and {other.text} set one field, which is called {now} now", "keep one")
        warnings.warn(f"{text}: this field is called {now} now", RenamedWarning, stacklevel=3)


def fitting(error: WordError, what: Any, words: Iterable[str]) -> WordError:
    """Return the error about a word, with only those offers that can be composed."""
    kept, words = list[str](), list(words)
    for word in words:
        if word == error.word:
            continue
        with contextlib.suppress(CNError), _untold():
            first = expand([word], lambda key: [])[0]
            assemble(what, [*kept, *first])
            kept += first

    def fits(offer: Offer) -> bool:
        if of_hydra(offer.word) or "=glob(" in offer.word:
            return True
        with contextlib.suppress(CNError), _untold():
            rows = expand([offer.word], lambda key: []) if offer.several else [[offer.word]]
            for row in rows if offer.word != error.word else rows[:1]:
                assemble(what, [*kept, *row])
            return True
        return False

    if offer := next(filter(fits, _meant(error.word, words, what, kept)), None):
        return WordError.of(error.word, error.what[:1], [offer])
    return WordError.of(error.word, error.what, list(filter(fits, error.offers)))


def _meant(word: str, words: list[str], what: Any, kept: list[str]) -> Iterator[Offer]:
    """Yield what a word without a value may mean: the name in `seed = 3`, or an option without its group."""
    from cn.composing.syntax_errors import Offer

    if "=" in word:
        return
    after = words[words.index(word) + 1 :]
    if len(after) > 1 and after[0] == "=":
        yield Offer("write, without spaces: ", f"{word}={after[1]}")
        return
    if isinstance(what, type) and registry.is_contract(what):
        yield Offer("write: ", f"{root_name(what)}={word}")
    with contextlib.suppress(CNError), _untold():
        for name, kind in kinds_of(assemble(what, kept)).items():
            if isinstance(kind, Child):
                yield Offer("write: ", f"{name}={word}")


@contextlib.contextmanager
def _untold() -> Generator[None]:
    """Context manager: suppress Notices while words are only tried."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Notice)
        yield


def root_name(contract: type[CN]) -> str:
    """Return the group of the root: `run`."""
    return registry.group_of(registry.home(contract))


def _root(what: type[T], assignments: list[Assignment]) -> tuple[T, list[Assignment]]:
    if not registry.is_contract(what):
        if inspect.isabstract(what):
            missing = ", ".join(f"{method}()" for method in sorted(what.__abstractmethods__))
            raise UserError(f"{what.__name__} cannot be composed: it does not define {missing}", where(what))
        return what(), assignments
    name = root_name(what)
    chosen = next((each for each in assignments if each.path == tuple(name.split("/"))), None)
    if chosen is None:
        try:
            return cast("type[T]", find((what,), "default", f"{name}=default"))(), assignments
        except discover.NoOptionError:
            choices = hint("", discover.options((what,))[0])
            why = f"no {name} is chosen, and none is called 'default'"
            raise discover.NoDefaultError(why, choices, f"write: {name}=NAME") from None
    if chosen.verb not in ("set", "force") or not isinstance(chosen.value, (str, int, float)):
        raise UserError(f"{chosen.text}: one {name} is chosen, by its name", f"write: {name}=NAME")
    option = str(worked_out({}, [chosen], CHOSEN)[0]) if chosen.interpolated else str(chosen.texts)
    rest = [each for each in assignments if each is not chosen]
    return cast("type[T]", find((what,), option, chosen.text))(), rest


def _underive(root: CN, keep: Container[int]) -> None:
    for _, node in walk(root, skip=keep):
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
            return tree.set(node, rest, each)
    return tree.set(node, rest, candidates[-1])
