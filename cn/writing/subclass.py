"""Write a composed node as the source of a new subclass, with only the fields that differ.

The source is formatted as `ruff format` and `ruff check --select I` do, with 120 columns.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from cn.composing.class_changes import DEFAULTS, patches_by
from cn.discovery import source
from cn.nodes.containers import Items, Row, Table
from cn.nodes.field_types import Anything, Child, Either, Kind, Member, OneOf, Scalar
from cn.nodes.node import CN
from cn.nodes.ranges import bare
from cn.nodes.resolving import kinds_of
from cn.nodes.traversal import differences
from cn.writing.imports import WIDTH, import_lines
from cn.writing.python import PATH, Writer, plain_types

ANY, LITERAL = (type(name, (), {"__module__": "typing"}) for name in ("Any", "Literal"))
PRAGMA = re.compile(r"(noqa|type:|pyright:|pragma|fmt:|ruff:)")  # comments that apply to one line only


def changed(node: CN) -> list[tuple[str, Any]]:
    """Return the fields that differ from a fresh instance of the class, derived values excluded."""
    return [(name, value) for name, value, _ in differences(node, type(node)())]


def subclass(node: CN, module: str, name: str, *, command: str, doc: list[str], root: Path) -> str:
    """Return the source of a module with the class.

    command: the module's docstring. doc: lines of the class docstring. root: the folder whose modules come last.
    """
    cls = type(node)
    own = type(name, (), {"__module__": module})
    kinds = kinds_of(cls)
    types: set[type] = {cls, own, *_needed(node)}
    fields = changed(node)
    for field, _ in fields:
        annotation(kinds[field], lambda each: types.add(each) or "")
    writer = _Writer(types, own, root)
    body = [writer.statement(field, kinds[field], value, source.comment(cls, field)) for field, value in fields]
    return "\n".join(
        [
            f'"""{command}"""',
            "",
            "from __future__ import annotations",
            "",
            *writer.imports(),
            "",
            "",
            f"class {name}({writer.names[cls]}):",
            '    """' + "\n    ".join(doc) + ("\n    " if len(doc) > 1 else "") + '"""',
            "",
            *body,
            *([f"    {DEFAULTS} = []"] if patches_by(cls) else []),
            "",
        ]
    )


def annotation(kind: Kind, name: Callable[[type], str]) -> str:
    """Return the annotation of a field type; `name` returns the name of a class in it."""

    def write(kind: Kind) -> str:
        kind = bare(kind)  # the range is inherited from the base class
        if isinstance(kind, Scalar):
            plain = "None" if kind.type is type(None) else kind.type.__name__
            return name(PATH) if kind.type is Path else plain
        if isinstance(kind, OneOf):
            return f"{name(LITERAL)}[{', '.join(map(literal, kind.values))}]"
        if isinstance(kind, Member):
            return name(kind.type)
        if isinstance(kind, Either):
            return " | ".join(map(write, kind.members))
        if isinstance(kind, Items):
            return f"list[{write(kind.item)}]" if kind.type is list else f"tuple[{write(kind.item)}, ...]"
        if isinstance(kind, Row):
            return f"tuple[{', '.join(map(write, kind.items)) or '()'}]"
        if isinstance(kind, Table):
            return f"dict[{write(kind.key)}, {write(kind.value)}]"
        if isinstance(kind, Child):
            one = " | ".join(map(name, kind.types))
            return (f"dict[str, {one}]" if kind.many else one) + (" | None" if kind.optional else "")
        assert isinstance(kind, Anything)
        return name(ANY)

    def literal(value: Any) -> str:
        if isinstance(value, enum.Enum):
            return f"{name(type(value))}.{value.name}"
        return quoted(value) if isinstance(value, str) else repr(value)

    return write(kind)


def quoted(text: str) -> str:
    """Quote a string with double quotes, or with single quotes if that needs fewer backslashes."""
    mark = "'" if text.count('"') > text.count("'") else '"'
    plain = "".join(each if each.isprintable() and each != "\\" else repr(each)[1:-1] for each in text)
    return mark + plain.replace(mark, f"\\{mark}") + mark


class _Writer(Writer):
    width = WIDTH

    def __init__(self, types: set[type], own: type, root: Path) -> None:
        super().__init__(types)
        self.root = root
        self.froms.pop(own.__module__, None)
        self.modules.discard(own.__module__)

    def statement(self, name: str, kind: Kind, value: Any, comment: str) -> str:
        """Return the statement of a field, with its comment if the comment fits on the line."""
        kept = annotation(kind, self.names.__getitem__)
        head = f"    {name}: {kept} = "
        text = self.write(value, 1, len(head))
        too_long = len(head + text) > self.width and "\n" not in text
        if too_long and (len(text) + 8 <= self.width or re.search(r"[\[|]", kept)):  # as ruff does
            text = f"(\n        {text}\n    )"
        line = head + text
        beside = f"  # {comment}" if comment and not PRAGMA.match(comment) else ""
        return line + beside if len(line.rpartition("\n")[2] + beside) <= self.width else line

    def fields(self, node: CN) -> list[tuple[str, Any]]:
        return changed(node)

    def quoted(self, text: str) -> str:
        return quoted(text)

    def parts(self, value: Any) -> tuple[str, list[tuple[str, Any]], str | None]:
        if isinstance(value, Path):
            return f"{self.names[PATH]}(", [("", str(value))], ")"
        if isinstance(value, float) and not math.isfinite(value):
            return "float(", [("", str(value))], ")"
        if isinstance(value, float) and "e+" in repr(value):
            return repr(value).replace("e+", "e"), [], None
        return super().parts(value)

    def imports(self) -> list[str]:
        return import_lines(self.modules, self.froms, self._is_own)

    def _is_own(self, module: str) -> bool:
        path = self.root.joinpath(*module.split("."))
        return path.is_dir() or path.with_name(f"{path.name}.py").is_file()


def _needed(value: Any) -> Iterator[type]:
    """Yield the classes that the source of a value names."""
    if isinstance(value, CN):
        yield type(value)
        for _, each in changed(value):
            yield from _needed(each)
    elif isinstance(value, dict):
        for pair in cast("dict[Any, Any]", value).items():
            for each in pair:
                yield from _needed(each)
    else:
        yield from plain_types(value)
