"""From a composed node to the command line that composes it: the inverse of `compose`.

Each way to write a value is tested by composing it; the first that reproduces the value is used.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, cast

from cn.composing.class_changes import patches_by
from cn.composing.edit import edit
from cn.composing.overrides import Assignment
from cn.composing.patches import KEY as PATCHES
from cn.composing.plain_words import KEY
from cn.composing.verbs import SIGNS, Verb
from cn.discovery import discover, registry
from cn.discovery.source import where
from cn.errors import UserError, short
from cn.nodes.field_types import Bundled, Child, Kind, Mismatch, same
from cn.nodes.node import CN
from cn.nodes.resolving import kinds_of
from cn.nodes.traversal import address_of, differences, is_field
from cn.writing.literals import UnwritableError, name_of, text_of, written

PART = r"(?:[A-Za-z_$][A-Za-z0-9_$-]*|0|[1-9](?:_?[0-9])*)"
ADDRESS, MIXED = re.compile(rf"{PART}(?:\.{PART})*"), re.compile(KEY)


class _Place(NamedTuple):
    """A node field."""

    owner: type[CN]
    field: str | None
    types: tuple[type, ...]


def command(run: CN) -> list[str]:
    """Return `run=NAME` and the overrides that distinguish the run from a fresh instance of its class.

    A class that derives from no contract is what its program composes, so it is not chosen.
    """
    cls = type(run)
    bare = [f"{PATCHES}=[]"] if patches_by(cls) else []
    if cls.__bases__ == (CN,) and not registry.is_contract(cls):
        return [*bare, *words(run)]
    group = registry.group_of(registry.home(cls))
    return [f"{group}={text_of(_option((cls,), cls))}", *bare, *words(run)]


def words(node: CN, base: CN | None = None, at: str = "") -> list[str]:
    """Return the overrides that turn `base`, by default a fresh instance of its class, into the node.

    With an address, as in `at="model"`, `base` is the current node there, of any class, or None if none is chosen.
    Derived values are left out. Raises UserError for a value that no override can express.
    """
    cls = type(node)
    if at:
        return list(_child(_Place(cls, None, (cls,)), node, base, at.replace("/", ".").split(".")))
    if base is not None and type(base) is not cls:
        raise UserError(f"no overrides make a {cls.__name__} of a {type(base).__name__}", where(cls))
    return list(_differences(node, cls() if base is None else base, []))


def word(key: str, value: Any) -> str:
    """Return `key=VALUE` in Hydra's grammar; the key may begin with `+` or `++`."""
    bare = re.sub(r"^\+\+?", "", key)
    if not (ADDRESS.fullmatch(bare) or MIXED.fullmatch(bare)):
        raise UnwritableError(f"{short(repr(key))} cannot be a key on a command line")
    if isinstance(value, CN):
        raise UnwritableError(f"{key} is a node: it takes more than a word, which words(node, at={bare!r}) gives")
    return f"{key}={written(value)[0]}"


def _differences(node: CN, base: CN, path: list[str]) -> Iterator[str]:
    cls = type(node)
    kinds = kinds_of(cls)
    for name, new, old in differences(node, base):
        kind, below = kinds[name], [*path, address_of("", cls, name)]
        if isinstance(kind, Child) and new is None:
            yield _choice(_Place(cls, name, kind.types), "", below, "null")
        elif isinstance(kind, Child):
            changes = _entries if kind.many else _child
            yield from changes(_Place(cls, name, kind.types), new, old, below)
        else:
            yield from _value(_Place(cls, name, ()), kind, new, old, below)


def _child(place: _Place, new: CN, old: Any, path: list[str]) -> Iterator[str]:
    """A node field: yield the changes of the current node, or another choice and the changes of its fresh instance."""
    if type(old) is type(new):
        yield from _differences(new, old, path)
    else:
        yield _choice(place, "", path, text_of(_option(place.types, type(new))))
        yield from _differences(new, type(new)(), path)


def _entries(place: _Place, new: dict[str, CN], old: Any, path: list[str]) -> Iterator[str]:
    """Entries of a dict of nodes: change the kept entries in place, or list all entries anew if that is shorter.

    The order of the entries matters, and an added entry comes last.
    """
    held = cast("dict[str, CN] | None", None if old is ... else old)
    if held is not None and list(new) == list(held) and all(type(new[name]) is type(held[name]) for name in new):
        for name, child in new.items():
            yield from _differences(child, held[name], [*path, name])
        return
    old = held or {}
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
    """Return the words that keep the entries `kept`; if `kept` is empty, `path=[...]` replaces all entries."""
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
    stay = kept or ([] if isinstance(old, Bundled) else rest[:count])  # what is listed and is there keeps its values
    for name, child in new.items():
        there = old[name] if name in stay and type(old.get(name)) is type(child) else type(child)()
        choices += _differences(child, there, [*path, name])
    return choices


def _value(place: _Place, kind: Kind, new: Any, old: Any, path: list[str]) -> list[str]:
    """Return the words that change a field from its current value, `...` if it has none, to the new one."""
    name = str(place.field)
    why = "its name begins with an underscore" if not is_field(name) else ""
    for way in _ways(new, old, path) if not why else ():
        try:
            assignments = list(way)
            made = _made(kind, old, assignments, len(path) - 1)
            if same(made, new):
                return [each.word for each in assignments]
            why = why or f"{short(assignments[0].text)} makes it {short(repr(made))}"
        except (UserError, Mismatch) as error:
            why = why or str(error).split("\n")[0]
    what = f"{place.owner.__name__}.{name} cannot be made {short(repr(new))} on a command line"
    raise UnwritableError(what, where(place.owner, name), why)


def _ways(new: Any, old: Any, path: list[str]) -> Iterator[Iterable[Assignment]]:
    """Yield the ways to write a value, best first. A dict is merged into the current one, unless it is forced."""
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
    """Clear the dict, then add the entries one by one: a key such as `null` is illegal inside `{}`."""
    yield _assign(verb, path, {})
    for key, value in new.items():
        if isinstance(value, dict):
            yield from _anew("add", cast("dict[Any, Any]", value), [*path, name_of(key)])
        else:
            yield _assign("add", [*path, name_of(key)], value)


def _made(kind: Kind, value: Any, assignments: list[Assignment], depth: int) -> Any:
    """Apply the assignments to a value in the order that composing uses."""
    for each in sorted(assignments, key=lambda each: (len(each.path), *each.order)):
        value = edit(kind, value, list(each.path[depth:]), each)
    return value


def _assign(verb: Verb, path: list[str], value: Any = None) -> Assignment:
    key = ".".join(path)
    if not (ADDRESS.fullmatch(key) or MIXED.fullmatch(key)) or key.count(".") >= len(path):
        raise UnwritableError(f"{short(repr(key))} cannot be a key on a command line")
    if verb == "delete":
        return Assignment(f"~{key}", verb, key, tuple(path), None, None, None)
    text, seen, texts = written(value)
    raw = seen if text[0] in "'\"" else text
    return Assignment(f"{SIGNS[verb]}{key}={text}", verb, key, tuple(path), seen, raw, texts)


def _choice(place: _Place, sign: str, path: list[str], option: str | None = None) -> str:
    """Return the word that chooses an option, or `~path` without an option."""
    key = ("." if option is None else "/").join(path)
    is_entry = place.field is not None and path[-1] != address_of("", place.owner, place.field)
    if not MIXED.fullmatch(key) or any("." in part for part in path) or (is_entry and "/" in path[-1]):
        why = f"{short(repr(key))} cannot be a key on a command line, so no node is chosen there"
        raise UnwritableError(why, where(place.owner, place.field))
    return f"{sign}{key}" if option is None else f"{sign}{key}={option}"


@functools.cache
def _option(types: tuple[type, ...], cls: type[CN]) -> str:
    """Return the option name of a class among the options of these types; UnwritableError if it has none."""
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
        raise UnwritableError(f"{name} cannot be chosen on a command line: {why}", where(cls))
    found: Any = None
    for option in filter(None, (key.option, discover.longer(cls, types))):
        try:
            found = discover.find(types, option)
        except UserError as error:
            more = str(error).split("\n  ")
            raise UnwritableError(f"{name} cannot be chosen on a command line: {more[0]}", where(cls)) from None
        if found is cls:
            return option
    raise UnwritableError(f"{key} chooses another class than {name}", where(cls), where(found))
