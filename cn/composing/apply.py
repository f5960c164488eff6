"""Apply overrides to a node: walk the path of an override to a node, then choose an option or set a value there."""
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import Any, cast

from cn import program
from cn.composing import options
from cn.composing.deriving import derive_one
from cn.composing.edit import edit
from cn.composing.overrides import Assignment
from cn.composing.verbs import SIGNS
from cn.discovery import discover, registry
from cn.discovery.source import where
from cn.errors import UserError, hint, nearest, short
from cn.nodes.containers import Items, Table
from cn.nodes.derived import Derived, Nested, derives
from cn.nodes.field_types import Bundled, Child, Kind, Mismatch
from cn.nodes.node import CN, put
from cn.nodes.resolving import by_key, kinds_of, old_names
from cn.nodes.target import EXTRA
from cn.nodes.traversal import children, is_field, thaw


class DerivedChild(Exception):  # noqa: N818  (it is no error)
    """An override is about the inside of a node that is derived, and has to wait until all other values are set."""

    def __init__(self, node: CN, name: str) -> None:
        super().__init__(name)
        self.node, self.name = node, name


class Tree:
    """A mutable node tree to which overrides are applied."""

    def __init__(self, root: CN) -> None:
        self.root = root
        self.renamed: dict[str, tuple[str, ...]] = {}  # override with an old name of a field -> its path now

    def locate(self, each: Assignment) -> tuple[CN, list[str]]:
        """Return the node that holds the override's field, and the rest of the path, which begins with that field."""
        node, at = self.root, 0
        types: tuple[Any, ...] = ()
        path = list(each.path)
        while True:
            name = path[at]
            kind = kinds_of(node).get(name) if is_field(name) else None
            if kind is None:
                if (end := _field_with_key(node, path, at)) is not None:
                    path[at : end[1]] = [end[0]]
                    continue
                if (now := old_names(cast("type[CN]", type(node))).get(name)) is not None:
                    path[at] = now
                    self.renamed[each.text] = tuple(path)
                    continue
                if each.verb in ("add", "force") and isinstance(kinds_of(node).get(EXTRA), Table):
                    return node, [EXTRA, *path[at:]]
                from cn.composing.unknown_field import unknown_field

                raise UserError(unknown_field(self, each, node, at + len(each.path) - len(path), types))
            rest = path[at:]
            if not isinstance(kind, Child) or len(rest) <= (2 if kind.many else 1):
                if isinstance(kind, Child) and kind.many and each.verb != "set" and derives(node, name) is not None:
                    raise DerivedChild(node, name)
                return node, rest
            below = node.__dict__.get(name)
            at += 1
            if derives(node, name) is not None:
                raise DerivedChild(node, name)
            if kind.many:
                entries = cast("dict[str, CN]", below or {})
                if path[at] not in entries:
                    why = f"{each.text}: {'.'.join(path[:at])} holds no {short(path[at])!r}"
                    raise UserError(why, *options.words_to_have(kind, path[:at], path[at], entries))
                below = entries[path[at]]
                at += 1
            if below is None and (only := discover.only(kind.types)) is not None:
                below = vars(node)[name] = only()
            if below is None:
                address = "/".join(path[:at])
                what = f"{each.text}: {address} is not chosen, so it has no fields"
                raise UserError(what, f"write: {address}=NAME too ({kind.name})")
            if below._frozen:  # it is shared with another tree: it is copied, and the nodes below it stay shared
                below = thaw(below, {id(child) for _, child in children(below)})
                vars(node)[name] = {**vars(node)[name], path[at - 1]: below} if kind.many else below
            node, types = below, kind.types

    def choose(self, node: CN, kind: Child, rest: list[str], each: Assignment) -> None:
        """Choose an option for a node field."""
        if "." in each.key and each.verb != "delete" and not each.place:
            one = kind.replace(many=False) if kind.many and len(rest) > 1 else kind
            what = f"{each.text}: {each.key} is a node ({one.name}), not a value"
            raise UserError(what, where(type(node), rest[0]), f"to choose it: {options.words_to_choose(one, each)}")
        own = vars(node)
        name = rest[0]
        if isinstance(each.value, Derived):
            put(node, name, each.value)
        elif kind.many:
            self.choose_many(own, kind, rest, each)
        elif each.verb == "delete" or each.value is None:
            if not kind.optional:
                what = f"{each.text}: {each.key} cannot be left out"
                raise UserError(what, where(type(node), name), options.choose_from(kind))
            if each.raw is not None and each.verb == "delete" and each.raw != options.option_of(own.get(name)):
                raise UserError(f"{each.text}: {each.key} is not {short(each.raw)}, so it is not deleted")
            own[name] = None
        else:
            made = self.option(kind, each, options.named_option(each.value, each.texts), own.get(name))
            if each.verb == "add" and own.get(name) is not None:
                instead = f"to change it: {each.at(each.key)}"
                raise UserError(f"{each.text}: {each.key} is chosen already", instead)
            own[name] = made

    def choose_many(self, own: dict[str, Any], kind: Child, rest: list[str], each: Assignment) -> None:
        """Set, add or delete entries of a dict of nodes."""
        name, key = rest[0], rest[1] if len(rest) > 1 else None
        key_of_field = "/".join(each.path[: -1 if key else None])
        before = cast("dict[str, CN]", own.get(name) or {})
        listed = options.named_options(each)
        if kind.optional and key is None and each.value is None and each.verb != "add":
            own[name] = None
        elif each.verb == "delete":
            dropped = [key] if key is not None else list(before) if each.raw is None else [entry for entry, _ in listed]
            for one in dropped:
                if one not in before:
                    raise UserError(f"{each.text}: {name} holds no {short(one)!r}", hint(one, before))
            if key is not None and each.raw not in (None, options.option_of(before[key])):
                raise UserError(f"{each.text}: {each.key} is not {short(str(each.raw))}, so it is not deleted")
            own[name] = {k: v for k, v in before.items() if k not in dropped}
        elif key is not None:
            if each.value is None:
                right = f"~{'.'.join(each.path)}"
                raise UserError(f"{each.text}: an entry of {name} cannot be null", f"to drop it: {right}")
            if key in before and each.verb == "add":
                raise UserError(f"{each.text}: {name} holds {key!r} already", f"write: {each.at(each.key)}")
            made = self.option(kind, each, options.named_option(each.value, each.texts), before.get(key))
            if key not in before and each.verb == "set":
                raise UserError(f"{each.text}: {name} holds no {key!r}", f"write: {each.at(f'+{each.key}')}")
            if isinstance(made, Bundled):
                right = each.at(f"+{key_of_field}")
                raise UserError(f"{each.text}: {made.of.__name__} is a bundle of several", f"write: {right}")
            own[name] = {**before, key: made}
        else:
            chosen: dict[str, CN] = {}
            for entry, option in listed:
                there = before if isinstance(before, Bundled) else before.get(entry)
                made = self.option(kind, each, option, there)
                for one, node in made.items() if isinstance(made, Bundled) else [(entry, made)]:
                    if not isinstance(node, kind.types):
                        what = f"{each.text}: {name}.{one} is {' or '.join(kind.__name__ for kind in kind.types)}"
                        raise UserError(f"{what}, not {short(repr(node))}", where(made.of, one))
                    if one in chosen or (each.verb == "add" and one in before):
                        second = f"for a second one: {program.said(f'+{key_of_field}/OTHER_NAME', str(option))}"
                        instead = None if isinstance(made, Bundled) else second  # the names are those of the bundle
                        raise UserError(f"{each.text}: {name} holds {short(one)!r} already", instead)
                    chosen[one] = node
                if len(listed) == 1:
                    chosen = made if isinstance(made, Bundled) else chosen
            own[name] = {**before, **chosen} if each.verb == "add" else chosen

    def option(self, kind: Child, each: Assignment, option: Any, before: Any) -> Any:
        """Return the present node if it already is this option and the sign is not `++`; else a new instance.

        A bundle gives a dict of nodes.
        """
        if isinstance(option, (list, dict)):
            one = f"each of {each.key} is chosen by" if kind.many else f"one {each.key} is chosen, by"
            raise UserError(f"{each.text}: {one} its name", options.choose_from(kind))
        if isinstance(option, kind.types):
            return thaw(option)
        if isinstance(option, CN):
            one = kind.replace(many=False)
            raise UserError(f"{each.key} is {one.name}, not {short(repr(option))}", options.choose_from(one))
        cls = (
            option if isinstance(option, type) else options.find(kind.types, str(option), each.text, bundles=kind.many)
        )
        if not issubclass(cls, kind.types) and not (kind.many and registry.is_bundle(cls)):
            raise UserError(f"{each.text}: {each.key} is {kind.replace(many=False).name}", options.choose_from(kind))
        there: type = before.of if isinstance(before, Bundled) else type(before)
        if there is not cls:  # a private class is the option that it inherits from, with more fields
            there = next((base for base in there.__mro__ if registry.key_of(base) is not None), there)
        return before if there is cls and each.verb != "force" else cls()

    def set(self, node: CN, rest: list[str], each: Assignment) -> None:
        """Set a field, or an element of the container in the field."""
        kind = kinds_of(node)[rest[0]]
        if "/" in each.key and "." not in each.key and rest[0] not in by_key(cast("Any", type(node))).values():
            what = f"{each.text}: {each.key} is a value ({kind.name}), not a node"
            instead = f"to set it: {each.at(SIGNS[each.verb] + each.key.replace('/', '.'))}"
            raise UserError(what, where(type(node), rest[0]), instead)
        derived = derives(node, rest[0])
        old = derived.template if isinstance(derived, Nested) else node.__dict__.get(rest[0], ...)
        try:
            new = edit(kind, old, rest, each)
        except Mismatch as error:
            from cn.composing.nearest_value import meant

            shown = "null" if each.value is None else repr(each.value) if isinstance(each.value, str) else str(each.raw)
            why = f"{each.text}: {each.key} is {error}, not {short(shown)}"
            wrong, known = _wrong_word(kind, each)
            like = hint(wrong, known) if nearest(wrong, known) or len(known) > 8 else None
            other = () if each.place else meant(each, lambda one: _fits(kind, old, rest, one))
            raise UserError(why, where(type(node), rest[0]), like, *other) from None
        except UserError as error:
            raise UserError(str(error), where(type(node), rest[0])) from None
        put(node, rest[0], new)

    def derived(self, node: CN, name: str) -> None:
        """Compute a derived node, so that overrides can change it."""
        derive_one(self.root, node, name)


def _field_with_key(node: CN, path: list[str], at: int) -> tuple[str, int] | None:
    """Return the field whose key begins at this place of a path, and where the key ends; None if there is none."""
    keys = by_key(cast("Any", type(node)))
    ends = range(at + 1, len(path) + 1) if keys else ()
    return next(((keys[key], end) for end in ends if (key := "/".join(path[at:end])) in keys), None)


def _wrong_word(kind: Kind, each: Assignment) -> tuple[str, list[str]]:
    """Return the word that does not fit, and the words that may be written; of a list, those of its elements."""
    texts: Any = each.texts
    if not (isinstance(kind, Items) and isinstance(texts, list)):
        return str(each.raw), kind.choices()
    known, words = kind.item.choices(), cast("list[Any]", texts)
    return next((word for word in words if isinstance(word, str) and word not in known), ""), known


def _fits(kind: Kind, old: Any, rest: list[str], each: Assignment) -> bool:
    try:
        edit(kind, old, rest, each)
    except (Mismatch, UserError):
        return False
    return True
