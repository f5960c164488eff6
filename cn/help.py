"""`--help`: what can be chosen, then the fields of what is chosen; and what a shell may complete a word to."""
# pyright: reportPrivateUsage=false
# (_fields belongs to cn, and has a name that no field may have)

from __future__ import annotations

import contextlib
import enum
import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any, cast

from cn import command, discover, registry, source
from cn.compose import assemble, finish, root_name
from cn.derived import Derived
from cn.errors import CNError, UserError, short
from cn.kinds import SCALARS, Child, Either, Kind, Member, Mismatch, OneOf, same
from cn.node import CN, is_field, resolve, thaw, values, walk
from cn.overrides import parse
from cn.screen import width
from cn.table import NARROW, fold
from cn.texts import texts_of

FLAGS = """\
  -m, --multirun       run every combination: -m model=vit,mlp seed=range(3)
  -c, --cfg job        print the composed run as Python (hydra, all: Hydra's own configuration)
  -p, --package NAME   of it, only the node at NAME
  --from FOLDER        start from the run that FOLDER records
  --explain [NAME]     where each value comes from; with NAME, only that value or what is below it
  --save-as NAME       write the composed run as a class, so that run=NAME chooses it
  -i, --info [WHAT]    what Hydra knows: plugins, search path, defaults
  -sc install=bash     tab completion for bash (zsh, fish):
    eval "$(python SCRIPT -sc install=bash)"
  --version, --hydra-help, -h, --help"""
TYPABLE = re.compile(r"[A-Za-z0-9_./,:+=@%[-]*")  # what neither a shell nor Hydra's grammar reads as more than a name
WIDTH = 100  # columns, where no terminal has another number of them


def help_text(contract: Any, base: CN | None, overrides: list[str], *, flags: str = FLAGS) -> str:
    """The page that `--help` prints; with overrides, for what they choose."""
    root, note = None, ""
    try:
        root = assemble(base if base is not None else contract, overrides)
        done = thaw(root)
        finish(done)
        root = done
    except UserError as error:
        if root is None and not isinstance(error, discover.NoDefaultError):
            raise
        note = f"\nnot complete: {error}\n"
    parts = [f"python {command.script} [NAME=VALUE ...]", "", "choose"]
    parts += _choices(contract, root)
    for address, node in walk(root) if root is not None else ():
        if rows := list(_rows(address, node)):
            doc = (type(node).__doc__ or "").strip().split("\n")[0]
            title = f"{address + ' = ' if address else ''}{type(node).__name__}, {source.place(type(node))}"
            parts += ["", title + (f"\n  {doc}" if doc else ""), *_columns(rows)]
    return "\n".join([fold("\n".join(parts)), note, fold(flags.replace("SCRIPT", command.script))])


def keys(contract: Any, root: CN | None) -> Iterator[tuple[str, tuple[Any, ...], Child | None, Any]]:
    """Every key that chooses a node: its name, the types of its options, its kind, and what is there now."""
    yield root_name(contract), (contract,), None, root
    for address, node in walk(root) if root is not None else ():
        for name, kind in cast("dict[str, Kind]", resolve(type(node))).items():
            if isinstance(kind, Child):
                key = f"{address}.{name}" if address else name
                yield key.replace(".", "/"), kind.types, kind, node.__dict__.get(name)


def _choices(contract: Any, root: CN | None) -> list[str]:
    found: list[str] = []
    broken: dict[discover.Broken, None] = {}
    listed = [(key, discover.options(types), kind, now) for key, types, kind, now in keys(contract, root)]
    before = max(len(key) for key, *_ in listed) + 4
    room = max((width() or WIDTH) - before, NARROW)
    for key, (names, bad), kind, now in listed:
        many = kind is not None and kind.many
        held = cast("dict[str, CN]", now or {}) if many else {}
        now_keys = [registry.key_of(type(each)) for each in (held.values() if many else [now]) if each is not None]
        chosen = {each.option for each in now_keys if each}
        shown = [f"[{name}]" if name in chosen else name for name in names]
        if kind is not None and kind.optional:
            shown.insert(0, "[null]" if now is None else "null")
        if many:
            shown = [f"[{', '.join(held)}] of", *shown] if shown else ["[]"]
        broken |= dict.fromkeys(bad)
        if not shown:  # of one class only, so there is nothing to choose
            continue
        text = textwrap.fill(" ".join(shown), room, break_long_words=False, break_on_hyphens=False)
        found.append(f"  {key}".ljust(before) + textwrap.indent(text, " " * before).lstrip())
    return found + [f"  cannot be used: {file}: {why}" for file, why in broken]


def _rows(address: str, node: CN) -> Iterator[tuple[str, str, str, str]]:
    cls = type(node)
    kinds = cast("dict[str, Kind]", resolve(cls))
    own = values(node)
    for name in filter(is_field, cls._fields):
        kind = kinds[name]
        if isinstance(kind, Child):
            continue
        value = "derived" if isinstance(cls._fields[name].default, Derived) else "???"
        value = displayed(kind, own[name]) if name in own else value
        yield (
            f"{address}.{name}" if address else name,
            kind.name,
            value,
            source.comment(cls, name),
        )


def _columns(rows: list[tuple[str, str, str, str]]) -> list[str]:
    widths = [min(max(len(row[i]) for row in rows), 36) for i in range(3)]
    return [
        "  " + "  ".join([f"{cell:{size}}" for cell, size in zip(row, widths, strict=False)] + [row[3]]).rstrip()
        for row in rows
    ]


def displayed(kind: Kind, value: Any) -> str:
    """A plain value as the pages show it, much as it is typed."""
    plain = kind.plain(value)
    if plain is None or isinstance(plain, bool):
        return {None: "null", True: "true", False: "false"}[plain]
    if isinstance(plain, str):
        return plain if plain and plain.isprintable() else repr(plain)
    text = str(plain)
    return short(text.replace("'", "") if isinstance(plain, (list, dict)) else text)


def complete(contract: Any, words: list[str]) -> list[str]:
    """What the last word may become; the words before it are overrides that are in force."""
    word = words[-1] if words else ""
    root = tolerant(contract, [each for each in words[:-1] if not each.startswith("-")])
    prefix = word[: len(word) - len(word.lstrip("+~"))]
    bare = word[len(prefix) :]
    found = {each for each in _candidates(contract, root, bare, prefix) if each.startswith(bare)}
    return sorted(prefix + each for each in found if TYPABLE.fullmatch(each))


def _candidates(contract: Any, root: CN | None, word: str, prefix: str) -> Iterable[str]:
    key, equal, _ = word.partition("=")
    chosen = {name: (types, kind, now) for name, types, kind, now in keys(contract, root)}
    if equal and key in chosen:
        types, kind, _ = chosen[key]
        names = [*discover.options(types)[0], *(["null"] if kind and kind.optional else [])]
        listed = key + "=" + word.partition("=")[2].rpartition(",")[0]
        start = listed + "," if "," in word else listed
        return [
            f"{start}{'[' if word.partition('=')[2].startswith('[') and ',' not in word else ''}{name}"
            for name in names
        ]
    if equal:
        kind = _kind_at(root, key)
        return [f"{key}={value}" for value in _words(kind)] if kind else []
    if prefix == "~":
        several = [
            (name, cast("dict[str, CN]", now or {})) for name, (_, kind, now) in chosen.items() if kind and kind.many
        ]
        return [f"{name}.{each}" for name, held in several for each in held]
    nodes = walk(root) if root is not None else ()
    fields = [f"{row[0]}=" for address, node in nodes for row in _rows(address, node)]
    return [*(f"{name}=" for name in chosen), *fields]


def _words(kind: Kind) -> Iterator[str]:
    """What may be typed for a value of the kind, where these are few: each as it is typed, if it can be as it is."""
    for word, value in _choosable(kind):
        with contextlib.suppress(UserError, Mismatch):
            (typed,) = parse([f"x={word}"])
            if word and "," not in word and same(kind.accept(typed.value, typed.texts), value):
                yield word


def _choosable(kind: Kind) -> Iterator[tuple[str, Any]]:
    if isinstance(kind, Either):
        for member in kind.members:
            yield from _choosable(member)
    elif isinstance(kind, OneOf):
        for value in kind.values:
            yield (value.name if isinstance(value, enum.Enum) else texts_of(value)), value
    elif isinstance(kind, Member):
        yield from kind.type.__members__.items()
    elif kind == SCALARS[bool]:
        yield from {"true": True, "false": False}.items()
    elif kind == SCALARS[None]:
        yield "null", None


def _kind_at(root: CN | None, key: str) -> Kind | None:
    address, _, name = key.rpartition(".")
    for at, node in walk(root) if root is not None else ():
        if at == address:
            return cast("dict[str, Kind]", resolve(type(node))).get(name)
    return None


def tolerant(start: Any, words: Iterable[str]) -> CN | None:
    """The object of those words that can be used, a word that is wrong left out; None where no word chooses one."""
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
