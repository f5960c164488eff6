"""From a node class and overrides to the composed object.

An override's path is walked from the root: where it ends on a node attribute it chooses an option of the annotated
type, elsewhere it sets a value. Choices come before what is set below them, so the order on the command line is of no
account. Then values are derived, each node checks itself, and the whole is frozen.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar, cast

from cn import command, registry
from cn.edit import edit
from cn.errors import CNError, UserError, hint, lines
from cn.kinds import Child, Kind, Mismatch
from cn.node import CN, Derived, deriving, freeze, is_field, resolve, thaw, walk, where
from cn.overrides import Assignment, of_hydra, parse

T = TypeVar("T", bound=CN)
ORDER = {"set": 0, "force": 0, "add": 1, "delete": 2}


def compose(what: type[T] | T, overrides: Iterable[str] = ()) -> T:
    """The object that the overrides make of a node.

    what: a contract such as `Run`, of which `run=NAME` chooses an option (`default` if none is chosen); a node class;
        or an instance, on top of which the overrides go.
    Returns the instance, frozen. Raises UserError for whatever does not fit, before anything is built.
    """
    root = assemble(what, overrides)
    finish(root)
    return root


def assemble(what: type[T] | T, overrides: Iterable[str] = ()) -> T:
    """`compose` without its end: chosen and set, but not derived, checked or frozen, and perhaps with fields missing."""
    assignments = parse(overrides)
    for each in assignments:
        if of_hydra(each.text):
            raise UserError(
                lines(
                    f"{each.text} is Hydra's own, and belongs on the command line of the program",
                    "leave it out of compose()",
                )
            )
    if isinstance(what, type):
        root, assignments = _root(what, assignments)
    else:
        root = thaw(what)
        if assignments:
            _underive(root)
    tree = _Tree(root)
    late: list[tuple[CN, Assignment, list[str]]] = []
    for each in sorted(assignments, key=lambda each: (len(each.path), ORDER[each.verb])):
        node, rest = tree.locate(each)
        kind = _kinds(node)[rest[0]]
        if isinstance(kind, Child):
            tree.choose(node, kind, rest, each)
        elif each.interpolated:
            late.append((node, each, rest))
        else:
            tree.set(node, kind, rest, each, each.value)
    for node, each, rest in late:
        value = _interpolate(root, each)
        tree.set(node, _kinds(node)[rest[0]], rest, replace(each, raw=str(value)), value)
    return root


def finish(root: CN) -> None:
    """Require what is required, derive, check and freeze."""
    missing = [
        (f"{address}.{name}" if address else name, node, name)
        for address, node in walk(root)
        for name, field in type(node)._fields.items()
        if is_field(name) and name not in node.__dict__ and not isinstance(field.default, Derived)
    ]
    if missing:
        key, node, name = missing[0]
        kind = _kinds(node)[name]
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
    with deriving(root):
        for address, node in walk(root):
            for name, field in type(node)._fields.items():
                if isinstance(field.default, Derived) and name not in node.__dict__:
                    _derive(node, name, f"{address}.{name}" if address else name)
    for address, node in reversed(list(walk(root))):
        check = getattr(node, "check", None)
        if check is None:
            continue
        try:
            check()
        except CNError:
            raise
        except ValueError as error:
            subject = f"{address}: " if address else ""
            raise UserError(lines(f"{subject}{error}", f"{type(node).__name__} is {where(type(node))}")) from None
    freeze(root)


def root_name(contract: type[CN]) -> str:
    """The word that chooses the root: `run`."""
    return registry.group_of(registry.home(contract))


def _root(what: type[T], assignments: list[Assignment]) -> tuple[T, list[Assignment]]:
    if registry.key_of(what) is not None or (not inspect.isabstract(what) and not registry.is_contract(what)):
        return what(), assignments
    name = root_name(what)
    chosen = [each for each in assignments if each.path == (name,)]
    option = "default"
    for each in chosen:
        option = each.raw or ""
        if each.verb not in ("set", "force") or not isinstance(each.value, (str, int, float)):
            raise UserError(lines(f"{each.text}: one {name} is chosen, by its name", f"write: {name}=NAME"))
    text = chosen[-1].text if chosen else f"{name}=default"
    return cast("type[T]", _find((what,), option, text))(), [each for each in assignments if each not in chosen]


def _underive(root: CN) -> None:
    for _, node in walk(root):
        for name in node._derived:
            node.__dict__.pop(name, None)
        object.__setattr__(node, "_derived", frozenset())


class _Tree:
    """The object while it is being composed."""

    def __init__(self, root: CN) -> None:
        self.root = root

    def locate(self, each: Assignment) -> tuple[CN, list[str]]:
        """The node that an assignment is about, and its path from there, which begins with a field."""
        node, at = self.root, 0
        types: tuple[Any, ...] = ()
        path = list(each.path)
        while True:
            name = path[at]
            kind = _kinds(node).get(name) if is_field(name) else None
            if kind is None:
                raise UserError(_unknown(each, node, name, types))
            rest = path[at:]
            if not isinstance(kind, Child) or len(rest) <= (2 if kind.many else 1):
                return node, rest
            below = node.__dict__.get(name)
            at += 1
            if kind.many:
                entries = cast("dict[str, CN]", below)
                if path[at] not in entries:
                    raise UserError(
                        lines(
                            f"{each.text}: {'.'.join(path[:at])} holds no {path[at]!r}",
                            hint(path[at], entries),
                            f"to add it: +{name}={path[at]}",
                        )
                    )
                below = entries[path[at]]
                at += 1
            if below is None:
                address = "/".join(path[:at])
                raise UserError(
                    lines(
                        f"{each.text}: {address} is not chosen, so it has no fields",
                        f"write: {address}=NAME too ({kind.name})",
                    )
                )
            node, types = below, kind.types

    def choose(self, node: CN, kind: Child, rest: list[str], each: Assignment) -> None:
        """Put an option at a node attribute."""
        dotted = "." in each.key and each.verb != "delete"
        if dotted:
            raise UserError(
                lines(
                    f"{each.text}: {each.key} is a node ({kind.name}), not a value",
                    where(type(node), rest[0]),
                    f"to choose it: {each.key.replace('.', '/')}=NAME",
                )
            )
        own = node.__dict__
        name = rest[0]
        if kind.many:
            self.choose_many(own, kind, rest, each)
        elif each.verb == "delete" or (each.value is None and each.raw is not None):
            if not kind.optional:
                raise UserError(
                    lines(
                        f"{each.text}: {each.key} cannot be left out",
                        where(type(node), name),
                        _options(kind),
                    )
                )
            if each.raw is not None and each.verb == "delete" and each.raw != _option_of(own.get(name)):
                raise UserError(f"{each.text}: {each.key} is not {each.raw}, so it is not deleted")
            own[name] = None
        elif each.verb == "add" and own.get(name) is not None:
            raise UserError(
                lines(
                    f"{each.text}: {each.key} is chosen already",
                    f"to change it: {each.key}={each.raw}",
                )
            )
        else:
            own[name] = self.option(kind, each, each.value, own.get(name))

    def choose_many(self, own: dict[str, Any], kind: Child, rest: list[str], each: Assignment) -> None:
        """Set, add to, or take from several nodes held by name."""
        name, key = rest[0], rest[1] if len(rest) > 1 else None
        before = cast("dict[str, CN]", own.get(name, {}))
        if key is not None and each.verb == "delete":
            if key not in before:
                raise UserError(lines(f"{each.text}: {name} holds no {key!r}", hint(key, before)))
            own[name] = {k: v for k, v in before.items() if k != key}
        elif key is not None:
            if (key in before) == (each.verb == "add"):
                right = f"{each.key}={each.raw}"
                raise UserError(
                    lines(
                        f"{each.text}: {name} holds {'a' if key in before else 'no'} {key!r}{' already' if key in before else ''}",
                        f"write: {right if key in before else '+' + right}",
                    )
                )
            own[name] = {**before, key: self.option(kind, each, each.value, before.get(key))}
        elif each.verb == "delete":
            dropped = (
                list(before) if each.raw is None else [each.value] if not isinstance(each.value, list) else each.value
            )
            for one in dropped:
                if one not in before:
                    raise UserError(lines(f"{each.text}: {name} holds no {one!r}", hint(str(one), before)))
            own[name] = {k: v for k, v in before.items() if k not in dropped}
        else:
            listed: list[Any] = (
                [] if each.value is None else each.value if isinstance(each.value, list) else [each.value]
            )
            chosen: dict[str, CN] = {}
            for option in listed:
                entry = str(option).replace("/", "_")
                if entry in chosen or (each.verb == "add" and entry in before):
                    raise UserError(
                        lines(
                            f"{each.text}: {name} holds {entry!r} already",
                            f"for a second one: +{name}/OTHER_NAME={option}",
                        )
                    )
                chosen[entry] = self.option(kind, each, option, before.get(entry))
            own[name] = {**before, **chosen} if each.verb == "add" else chosen

    def option(self, kind: Child, each: Assignment, option: Any, before: Any) -> CN:
        """A fresh instance of an option; the one that is there, with its preset values, if it is that option already."""
        if isinstance(option, (list, dict)):
            raise UserError(lines(f"{each.text}: one {each.key} is chosen, by its name", _options(kind)))
        text = option if isinstance(option, str) else str(each.raw if each.value is option else option)
        cls = _find(kind.types, text, each.text)
        return before if type(before) is cls else cls()

    def set(self, node: CN, kind: Kind, rest: list[str], each: Assignment, value: Any) -> None:
        """Give a field, or an element of the container in it, a value."""
        if "/" in each.key:
            raise UserError(
                lines(
                    f"{each.text}: {each.key} is a value ({kind.name}), not a node",
                    where(type(node), rest[0]),
                    f"to set it: {each.key.replace('/', '.')}=VALUE",
                )
            )
        try:
            new = edit(kind, node.__dict__.get(rest[0], ...), rest, each, value)
        except Mismatch as error:
            raise UserError(
                lines(
                    f"{each.text}: {each.key} is {error}, not {_shown(each)}",
                    where(type(node), rest[0]),
                )
            ) from None
        except UserError as error:
            raise UserError(lines(str(error), where(type(node), rest[0]))) from None
        node.__dict__[rest[0]] = new


def _find(types: tuple[Any, ...], option: str, text: str) -> type[CN]:
    try:
        return cast("type[CN]", registry.find(types, option))
    except UserError as error:
        raise UserError(f"{text}: {error}") from None


def _derive(node: CN, name: str, address: str) -> None:
    value = getattr(node, name)
    try:
        node.__dict__[name] = _kinds(node)[name].accept(value)
    except Mismatch as error:
        raise UserError(
            lines(f"{address} is {error}, but it is derived as {value!r}", where(type(node), name))
        ) from None
    object.__setattr__(node, "_derived", node._derived | {name})


def _interpolate(root: CN, each: Assignment) -> Any:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from cn.record import plain

    tree = OmegaConf.create(plain(root, tagged=False))
    try:
        OmegaConf.update(tree, ".".join(each.path), each.value)
        found = OmegaConf.select(tree, ".".join(each.path), throw_on_missing=True)
        return OmegaConf.to_container(found, resolve=True) if OmegaConf.is_config(found) else found
    except OmegaConfBaseException as error:
        raise UserError(lines(f"{each.text} cannot be worked out", str(error).split("\n")[0])) from None


def _unknown(each: Assignment, node: CN, name: str, types: tuple[Any, ...]) -> str:
    cls = type(node)
    others = [option for option, kind in registry.options(types)[0].items() if name in cast("type[CN]", kind)._fields]
    has = f"a field of {registry.group_of(registry.home(types[0]))}={', '.join(others[:4])}" if others else None
    near = hint(name, filter(is_field, cls._fields))
    below = [f"{address}.{name}" for address, child in walk(node) if address and name in type(child)._fields]
    if below:
        near = f"nearest: {', '.join('.'.join([*each.path[: each.path.index(name)], one]) for one in below[:3])}"
    return lines(
        f"{each.text}: {cls.__name__} has no field {name!r}",
        where(cls),
        near,
        has,
        f"see: python {command.script} --help",
    )


def _shown(each: Assignment) -> str:
    return "null" if each.value is None else repr(each.value) if isinstance(each.value, str) else str(each.raw)


def _options(kind: Child) -> str:
    names = list(registry.options(kind.types)[0])
    return f"choose from: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"


def _option_of(node: Any) -> str | None:
    key = registry.key_of(type(node)) if isinstance(node, CN) else None
    return key.option if key else None


def _kinds(node: CN) -> dict[str, Kind]:
    return cast("dict[str, Kind]", resolve(type(node)))
