"""Values of patches that are derived: `changes = {"warmup": derive(lambda run: run.steps // 20)}`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from cn.composing.apply import Tree, kinds
from cn.composing.overrides import Assignment
from cn.errors import CNError, MissingValueError, UnfinishedError, UserError, lines
from cn.nodes.derived import Derived, deriving
from cn.nodes.field_types import same
from cn.nodes.node import CN
from cn.nodes.traversal import walk

Place = tuple[CN, list[str], Assignment]  # the node that holds the field, and the path from there


def set_derived(tree: Tree, places: Iterable[Place]) -> None:
    """Compute the derived values of patches, once all other values are set; one may depend on another.

    A field stays without a value if the derivation needs a required value that was not given. UserError if a
    computation fails.
    """
    todo = list(places)
    with deriving(tree.root, lambda node: next((address for address, each in walk(tree.root) if each is node), "")):
        for _ in range(len(todo) + 1):
            before = [vars(node).get(rest[0]) for node, rest, _ in todo]
            for node, rest, each in todo:
                _set(tree, node, rest, each)
            if all(same(old, vars(node).get(rest[0])) for old, (node, rest, _) in zip(before, todo, strict=True)):
                return


def _set(tree: Tree, node: CN, rest: list[str], each: Assignment) -> None:
    derived = cast("Derived", each.value)
    try:
        value = derived.function(*(tree.root, node)[: derived.arguments])
    except (MissingValueError, UnfinishedError):
        if len(rest) == 1:
            vars(node).pop(rest[0], None)
        return
    except CNError:
        raise
    except Exception as error:
        why = f"{each.key} cannot be derived: {type(error).__name__}: {error}"
        raise UserError(lines(why, each.place, f"to give it: {each.key}=VALUE")) from error
    tree.set(node, kinds(node)[rest[0]], rest, each, value)
