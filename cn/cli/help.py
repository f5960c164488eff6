"""`--help`: the options, then the fields of the chosen nodes; and the choices of tab completion."""

from __future__ import annotations

import contextlib
import enum
import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any, cast

from cn import program
from cn.composing.choices import keys, tolerant
from cn.composing.compose import assemble
from cn.composing.finish import finish
from cn.composing.overrides import parse
from cn.discovery import discover, source
from cn.errors import UserError
from cn.nodes.derived import derives
from cn.nodes.field_types import SCALARS, Child, Either, Kind, Member, Mismatch, OneOf, same
from cn.nodes.node import CN
from cn.nodes.ranges import bare
from cn.nodes.resolving import kinds_of
from cn.nodes.texts import texts_of
from cn.nodes.traversal import address_of, is_field, thaw, values, walk
from cn.screen import width
from cn.table import NARROW, fold
from cn.writing.displayed import displayed

FLAGS = """\
  -m, --multirun       run every combination: -m model=vit,mlp 'seed=range(3)'
  -c, --cfg job        print the composed run as Python (hydra, all: Hydra's own configuration)
  -p, --package NAME   with --cfg job: only the node at NAME
  --partial            with --cfg job: required values may be missing, and are shown as `...`
  --from FOLDER        start from the run that FOLDER records
  --explain [NAME]     where each value comes from; with NAME, only that value or what is below it
  --save-as NAME       write the composed run as a class, so that run=NAME chooses it
  --schema             print all that can be chosen and set as JSON Schema (draft 2020-12)
  -i, --info [WHAT]    what Hydra knows: plugins, search path, defaults
  -sc install=bash     tab completion for bash (zsh, fish):
    eval "$(python SCRIPT -sc install=bash)"
  --version, --hydra-help, -h, --help"""
TYPABLE = re.compile(r"[A-Za-z0-9_./,:+=@%[-]*")  # has no special meaning to a shell or to Hydra's grammar
WIDTH = 100  # columns, if the output is not a terminal


def help_text(contract: Any, base: CN | None, overrides: list[str], *, flags: str = FLAGS) -> str:
    """Return the page of `--help`; with overrides, the page of the run that they compose."""
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
    parts = [f"python {program.script} [NAME=VALUE ...]", "", "choose"]
    parts += _choices(contract, root, overrides, again=base is not None)
    for address, node in walk(root) if root is not None else ():
        if rows := list(_rows(address, node)):
            doc = (type(node).__doc__ or "").strip().split("\n")[0]
            title = f"{address + ' = ' if address else ''}{type(node).__name__}, {source.place(type(node))}"
            parts += ["", title + (f"\n  {doc}" if doc else ""), *_columns(rows)]
    return "\n".join([fold("\n".join(parts)), note, fold(flags.replace("SCRIPT", program.script))])


def _choices(contract: Any, root: CN | None, words: list[str], *, again: bool) -> list[str]:
    found: list[str] = []
    broken: dict[discover.Broken, None] = {}
    found_keys = keys(contract, root, words, again=again)
    listed = [(key, _options(types, kind), kind, now) for key, types, kind, now in found_keys]
    before = max(len(key) for key, *_ in listed) + 4
    room = max((width() or WIDTH) - before, NARROW)
    for key, (names, bad), kind, now in listed:
        many = kind is not None and kind.many
        held = cast("dict[str, CN]", (now or {}) if many else {} if now is None else {key: now})
        chosen = {type(each) for each in held.values()}
        shown = [f"[{name}]" if cls in chosen else name for name, cls in names.items()]
        if kind is not None and kind.optional:
            shown.insert(0, "[null]" if now is None else "null")
        if many:
            shown = [f"[{', '.join(held)}] of", *shown] if shown else ["[]"]
        broken |= dict.fromkeys(bad)
        if not shown:  # only one class exists
            continue
        text = textwrap.fill(" ".join(shown), room, break_long_words=False, break_on_hyphens=False)
        found.append(f"  {key}".ljust(before) + textwrap.indent(text, " " * before).lstrip())
    return found + [f"  cannot be used: {file}: {why}" for file, why in broken]


def _options(types: tuple[Any, ...], kind: Child | None) -> tuple[dict[str, type], list[discover.Broken]]:
    return discover.options(types, bundles=kind is not None and kind.many)


def _rows(address: str, node: CN) -> Iterator[tuple[str, str, str, str]]:
    cls, own = type(node), values(node)
    for name, kind in _plain_fields(node):
        absent = "???" if derives(node, name) is None else "derived"
        value = displayed(kind, own[name]) if name in own else absent
        yield address_of(address, cls, name), kind.name, value, source.comment(cls, name)


def _plain_fields(node: CN) -> Iterator[tuple[str, Kind]]:
    """Yield the fields that hold no nodes, with their types."""
    for name, kind in kinds_of(node).items():
        if is_field(name) and not isinstance(kind, Child):
            yield name, kind


def _columns(rows: list[tuple[str, str, str, str]]) -> list[str]:
    widths = [min(max(len(row[i]) for row in rows), 36) for i in range(3)]
    return [
        "  " + "  ".join([f"{cell:{size}}" for cell, size in zip(row, widths, strict=False)] + [row[3]]).rstrip()
        for row in rows
    ]


def complete(contract: Any, words: list[str]) -> list[str]:
    """Return completions of the last word; the words before it are applied as overrides."""
    word = words[-1] if words else ""
    root = tolerant(contract, [each for each in words[:-1] if not each.startswith("-")])
    prefix = word[: len(word) - len(word.lstrip("+~"))]
    bare = word[len(prefix) :]
    found = {each for each in _candidates(contract, root, bare, prefix) if each.startswith(bare)}
    return sorted(prefix + each for each in found if TYPABLE.fullmatch(each))


def _candidates(contract: Any, root: CN | None, word: str, prefix: str) -> Iterable[str]:
    key, equal, value = word.partition("=")
    chosen = {name: (types, kind, now) for name, types, kind, now in keys(contract, root)}
    nodes = walk(root) if root is not None else ()
    fields = [(address_of(at, type(node), name), kind) for at, node in nodes for name, kind in _plain_fields(node)]
    if equal and key in chosen:
        types, kind, _ = chosen[key]
        names = [*_options(types, kind)[0], *(["null"] if kind and kind.optional else [])]
        before = value.rpartition(",")[0] + "," if "," in value else value[: value.startswith("[")]
        return [f"{key}={before}{name}" for name in names]
    if equal:
        return [f"{key}={value}" for at, kind in fields if at == key for value in _words(kind)]
    if prefix == "~":
        several = [
            (name, cast("dict[str, CN]", now or {})) for name, (_, kind, now) in chosen.items() if kind and kind.many
        ]
        return [f"{name.replace('/', '.')}.{each}" for name, held in several for each in held]
    return [f"{name}=" for name in [*chosen, *(at for at, _ in fields)]]


def _words(kind: Kind) -> Iterator[str]:
    """Yield the words for a value of a type that has only a few, if they can be typed without quotes."""
    for word, value in _choosable(kind):
        with contextlib.suppress(UserError, Mismatch):
            (typed,) = parse([f"x={word}"])
            if word and "," not in word and same(kind.accept(typed.value, typed.texts), value):
                yield word


def _choosable(kind: Kind) -> Iterator[tuple[str, Any]]:
    kind = bare(kind)
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
