"""From a composed node back to the words of a command line that make it: what `compose` reads, written.

A way to write a value is tried out with what composing would do with it, and the first that gives the value is taken.
"""
# pyright: reportPrivateUsage=false
# (_fields and _derived belong to cn, and have names that no field may have)

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, cast

from cn import discover, registry
from cn.compose import ORDER
from cn.edit import edit
from cn.errors import UserError, lines, short
from cn.kinds import Child, Kind, Mismatch, same
from cn.node import CN, is_field, resolve, where
from cn.overrides import Assignment, Verb
from cn.written import ID, UnwritableError, name_of, text_of, written

SIGNS: dict[Verb, str] = {"set": "", "add": "+", "force": "++"}
PART = r"(?:[A-Za-z_$][A-Za-z0-9_$-]*|0|[1-9](?:_?[0-9])*)"
ADDRESS, CHOICE = re.compile(rf"{PART}(?:\.{PART})*"), re.compile(rf"{ID}(?:/{ID})*")


class _Place(NamedTuple):
    """A node attribute."""

    owner: type[CN]
    field: str | None
    types: tuple[type, ...]


def command(run: CN) -> list[str]:
    """`run=NAME`, then what sets the run apart from a fresh instance of its class."""
    group = registry.group_of(registry.home(type(run)))
    return [f"{group}={text_of(_option((type(run),), type(run)))}", *words(run)]


def words(node: CN, base: CN | None = None, at: str = "") -> list[str]:
    """The overrides that make the node of `base`, by default of a fresh instance of its class.

    With an address, as in `at="model"`, `base` is the node that is there now, of any class, or None if none is chosen.
    Values that were derived are left out. Raises UserError for what no override can say.
    """
    cls = type(node)
    if at:
        return list(_child(_Place(cls, None, (cls,)), node, base, at.replace("/", ".").split(".")))
    if base is not None and type(base) is not cls:
        raise UserError(lines(f"no overrides make a {cls.__name__} of a {type(base).__name__}", where(cls)))
    return list(_differences(node, cls() if base is None else base, []))


def word(key: str, value: Any) -> str:
    """`key=VALUE`, as Hydra's grammar reads the value back; the key may begin with `+` or `++`."""
    bare = re.sub(r"^\+\+?", "", key)
    if not (ADDRESS.fullmatch(bare) or CHOICE.fullmatch(bare)):
        raise UnwritableError(f"{short(repr(key))} cannot be a key on a command line")
    if isinstance(value, CN):
        raise UnwritableError(f"{key} is a node: it takes more than a word, which words(node, at={bare!r}) gives")
    return f"{key}={written(value)[0]}"


def _differences(node: CN, base: CN, path: list[str]) -> Iterator[str]:
    cls = type(node)
    kinds = cast("dict[str, Kind]", resolve(cls))
    mine, theirs = node.__dict__, base.__dict__
    for name in cls._fields:
        there = name in theirs and name not in base._derived  # what was derived is derived anew
        if name not in mine or (name in node._derived and not there):
            continue
        kind, new, old = kinds[name], mine[name], theirs[name] if there else ...
        if isinstance(kind, Child):
            changes = _entries if kind.many else _child
            yield from changes(_Place(cls, name, kind.types), new, old, [*path, name])
        elif old is ... or not same(new, old):
            yield from _value(cls, kind, new, old, [*path, name])


def _child(place: _Place, new: CN | None, old: Any, path: list[str]) -> Iterator[str]:
    """A node attribute: what differs in the node that is there, or another choice and what differs from that."""
    if new is None:
        if old is not None:
            yield _choice(place, "", path, "null")
    elif type(old) is type(new):
        yield from _differences(new, old, path)
    else:
        yield _choice(place, "", path, text_of(_option(place.types, type(new))))
        yield from _differences(new, type(new)(), path)


def _entries(place: _Place, new: dict[str, CN], old: Any, path: list[str]) -> Iterator[str]:
    """Several nodes by name: those that stay are changed where they stand, or all are listed anew if that is shorter.

    Their order counts, and an entry that is added comes last.
    """
    if old is not ... and list(new) == list(old) and all(type(new[name]) is type(old[name]) for name in new):
        for name, child in new.items():
            yield from _differences(child, old[name], [*path, name])
        return
    old = cast("dict[str, CN]", {} if old is ... else old)
    options = {name: text_of(_option(place.types, type(child))) for name, child in new.items()}
    kept = [name for name in old if name in new]
    ways: list[Callable[[], list[str]]] = [lambda: _listed(place, new, old, [], options, path)]
    if kept and list(new)[: len(kept)] == kept:
        ways.insert(0, lambda: _listed(place, new, old, kept, options, path))
    found: list[list[str]] = []
    errors: list[UserError] = []
    for way in ways:
        try:
            found.append(way())
        except UserError as error:
            errors.append(error)
    if not found:
        raise errors[0]
    yield from min(found, key=len)


def _listed(
    place: _Place, new: dict[str, CN], old: dict[str, CN], kept: list[str], options: dict[str, str], path: list[str]
) -> list[str]:
    """The words with which `kept` stay, or, where that is empty, `path=[...]` takes the place of all."""
    choose = functools.partial(_choice, place)
    choices = [choose("~", [*path, name]) for name in old if kept and name not in new]
    choices += [choose("", [*path, name], options[name]) for name in kept if type(old[name]) is not type(new[name])]
    rest = list(new)[len(kept) :]
    count = next((i for i, name in enumerate(rest) if options[name].strip("'").replace("/", "_") != name), len(rest))
    listed = f"[{','.join(options[name] for name in rest[:count])}]"
    if not kept:
        choices.append(choose("", path, listed))
    elif count:
        choices.append(choose("+", path, listed if count > 1 else options[rest[0]]))
    choices += [choose("+", [*path, name], options[name]) for name in rest[count:]]
    stay = kept or rest[:count]  # an option that is listed and there already stays as it is
    for name, child in new.items():
        there = old[name] if name in stay and type(old.get(name)) is type(child) else type(child)()
        choices += _differences(child, there, [*path, name])
    return choices


def _value(cls: type[CN], kind: Kind, new: Any, old: Any, path: list[str]) -> list[str]:
    """The words that make the value of a field of what it is now, `...` if it has none."""
    why = "its name begins with an underscore" if not is_field(path[-1]) else ""
    for way in _ways(new, old, path) if not why else ():
        try:
            assignments = list(way)
            made = _made(kind, old, assignments, len(path) - 1)
            if same(made, new):
                return [each.word for each in assignments]
            why = why or f"{short(assignments[0].text)} makes it {short(repr(made))}"
        except (UserError, Mismatch) as error:
            why = why or str(error).split("\n")[0]
    what = f"{cls.__name__}.{path[-1]} cannot be made {short(repr(new))} on a command line"
    raise UnwritableError(lines(what, where(cls, path[-1]), why))


def _ways(new: Any, old: Any, path: list[str]) -> Iterator[Iterable[Assignment]]:
    """The ways to write a value, best first. A dict is merged into the one that is there, unless it is forced."""
    if not isinstance(new, dict):
        yield _entry("set", new, old, path)
        return
    table = cast("dict[Any, Any]", new)
    there = cast("dict[Any, Any]", old if isinstance(old, dict) else {})
    if any(key in there for key in table):
        yield _entrywise(table, there, path)
    changed = {key: value for key, value in table.items() if key not in there or not same(value, there[key])}
    yield _entry("set", changed, old, path)
    yield _entry("force", table, old, path)
    yield _anew("force", table, path)


def _entry(verb: Verb, new: Any, old: Any, path: list[str]) -> Iterator[Assignment]:
    each = _assign(verb, path, new)
    if each.interpolated and isinstance(old, dict) and old and isinstance(new, (dict, list, tuple)):
        raise UnwritableError(f"{short(each.text)} would be merged with what is there")  # by OmegaConf
    yield each


def _entrywise(new: dict[Any, Any], old: dict[Any, Any], path: list[str]) -> Iterator[Assignment]:
    for key in old:
        if key not in new:
            yield _assign("delete", [*path, name_of(key)])
    for key, value in new.items():
        verb: Verb = "add" if key not in old else "force" if isinstance(value, dict) else "set"
        if key not in old or not same(value, old[key]):
            yield from _entry(verb, value, old.get(key), [*path, name_of(key)])


def _anew(verb: Verb, new: dict[Any, Any], path: list[str]) -> Iterator[Assignment]:
    """An empty dict, and each entry by its address: where a key may be what it may not be in braces, as `null` may."""
    yield _assign(verb, path, {})
    for key, value in new.items():
        if isinstance(value, dict):
            yield from _anew("add", cast("dict[Any, Any]", value), [*path, name_of(key)])
        else:
            yield _assign("add", [*path, name_of(key)], value)


def _made(kind: Kind, value: Any, assignments: list[Assignment], depth: int) -> Any:
    """What composing makes of a value with these assignments, in its order."""
    for each in sorted(assignments, key=lambda each: (len(each.path), each.interpolated, ORDER[each.verb])):
        value = edit(kind, value, list(each.path[depth:]), each, each.value)
    return value


def _assign(verb: Verb, path: list[str], value: Any = None) -> Assignment:
    key = ".".join(path)
    if not ADDRESS.fullmatch(key) or key.count(".") >= len(path):
        raise UnwritableError(f"{short(repr(key))} cannot be a key on a command line")
    if verb == "delete":
        return Assignment(f"~{key}", verb, key, tuple(path), None, None, None)
    text, seen, texts = written(value)
    raw = seen if text[0] in "'\"" else text
    return Assignment(f"{SIGNS[verb]}{key}={text}", verb, key, tuple(path), seen, raw, texts)


def _choice(place: _Place, sign: str, path: list[str], option: str | None = None) -> str:
    """The word that chooses an option, or `~path` without an option."""
    between, pattern = (".", ADDRESS) if option is None else ("/", CHOICE)
    key = between.join(path)
    if not pattern.fullmatch(key) or key.count(between) >= len(path):
        why = f"{short(repr(key))} cannot be a key on a command line, so no node is chosen there"
        raise UnwritableError(lines(why, where(place.owner, place.field)))
    return f"{sign}{key}" if option is None else f"{sign}{key}={option}"


@functools.cache
def _option(types: tuple[type, ...], cls: type[CN]) -> str:
    """The name by which a class is chosen where these types are asked for."""
    name = cls.__qualname__
    key = registry.key_of(cls)
    if key is None:
        why = (
            "it is defined in a function"
            if "<locals>" in name
            else "it stands in an __init__.py, as contracts do"
            if registry.is_contract(cls)
            else "its name, or that of its file, begins with an underscore"
            if any(part.startswith("_") for part in [*cls.__module__.split("."), cls.__name__])
            else "its file is in no folder"
        )
        raise UnwritableError(lines(f"{name} cannot be chosen on a command line: {why}", where(cls)))
    try:
        found: Any = discover.find(types, key.option)
    except UserError as error:
        more = str(error).split("\n  ")
        raise UnwritableError(lines(f"{name} cannot be chosen on a command line: {more[0]}", where(cls))) from None
    if found is not cls:
        raise UnwritableError(lines(f"{key} chooses another class than {name}", where(cls), where(found)))
    return key.option
