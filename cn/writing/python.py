"""Write a composed node as Python source that evaluates to an equal node."""
# pyright: reportPrivateUsage=false

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any, cast

from cn.discovery.source import where
from cn.errors import UserError
from cn.nodes.field_types import same
from cn.nodes.node import CN
from cn.nodes.traversal import default_of, is_field, values, walk


def as_python(node: CN, name: str = "run") -> str:
    """Return imports and one assignment; executing them binds `name` to an object equal to `node`.

    Defaults are written too, since they may change later. A field of a partly composed node without a value is `...`.
    """
    types = {type(each) for _, each in walk(node)}
    for _, each in walk(node):
        types |= {cls for value in values(each).values() for cls in plain_types(value)}
    writer = Writer(types)
    body = f"{name} = {writer.write(node, 0, len(name) + 7)}"
    return "\n".join([*writer.imports(), "", body] if writer.imports() else [body]) + "\n"


class Writer:
    """Writes nodes and values as expressions, with a name for each class in them."""

    width = 100  # columns

    def __init__(self, types: set[type]) -> None:
        self.modules: set[str] = set()
        self.froms: dict[str, set[str]] = {}
        self.names: dict[type, str] = {}
        for cls in sorted(types, key=lambda cls: (cls.__module__, cls.__qualname__)):
            if "<locals>" in cls.__qualname__:
                why = f"{cls.__qualname__} is defined in a function, so no Python elsewhere can name it"
                raise UserError(why, f"write: class {cls.__name__} at the top of a file", where(cls))
            top = cls.__qualname__.split(".")[0]
            alone = all(o.__module__ == cls.__module__ for o in types if o.__qualname__.split(".")[0] == top)
            if alone:
                self.froms.setdefault(cls.__module__, set()).add(top)
            else:
                self.modules.add(cls.__module__)
            self.names[cls] = cls.__qualname__ if alone else f"{cls.__module__}.{cls.__qualname__}"

    def imports(self) -> list[str]:
        plain = [f"import {module}" for module in sorted(self.modules)]
        return plain + [
            f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(self.froms.items())
        ]

    def write(self, value: Any, depth: int, before: int) -> str:
        """Return the expression, on one line if it fits after `before` columns, else with one part per line."""
        opening, parts, closing = self.parts(value)
        if closing is None:
            return opening
        inner = [prefix + self.write(item, depth + 1, 4 * (depth + 1) + len(prefix) + 1) for prefix, item in parts]
        comma = "," if opening == "(" and len(inner) == 1 else ""
        line = opening + ", ".join(inner) + comma + closing
        if not inner or (len(line) + before <= self.width and "\n" not in line):
            return line
        indent = "    " * (depth + 1)
        return opening + "\n" + "".join(f"{indent}{each},\n" for each in inner) + "    " * depth + closing

    def parts(self, value: Any) -> tuple[str, list[tuple[str, Any]], str | None]:
        """Return (opening, [(prefix, item)], closing); closing is None for an atom."""
        if isinstance(value, CN):
            return f"{self.names[type(value)]}(", [(f"{name}=", item) for name, item in self.fields(value)], ")"
        if value is ...:
            return "...", [], None
        if isinstance(value, enum.Enum):
            return f"{self.names[type(value)]}.{value.name}", [], None
        if isinstance(value, Path):
            return f"{self.names[PATH]}({self.quoted(str(value))})", [], None
        if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
            return f'float("{value}")', [], None
        if isinstance(value, dict):
            return ("{", [(f"{self.parts(k)[0]}: ", v) for k, v in cast("dict[Any, Any]", value).items()], "}")
        if isinstance(value, list):
            return "[", [("", item) for item in cast("list[Any]", value)], "]"
        if isinstance(value, tuple):
            return "(", [("", item) for item in cast("tuple[Any, ...]", value)], ")"
        return self.quoted(value) if isinstance(value, str) else repr(value), [], None

    def fields(self, node: CN) -> list[tuple[str, Any]]:
        """Return the fields to write, with their values; a name of Hydra only where the class says something else."""
        fields, own = type(node)._fields, vars(node)
        return [(name, own.get(name, ...)) for name in fields if is_field(name) or _is_own(node, name)]

    def quoted(self, text: str) -> str:
        return repr(text) if '"' in text or "\\" in repr(text) else f'"{repr(text)[1:-1]}"'


def _is_own(node: CN, name: str) -> bool:
    """Return whether a node has another value than a fresh instance of its class: `Data(_target_="project.Data")`."""
    return name in vars(node) and not same(vars(node)[name], default_of(type(node)._fields[name]))


def plain_types(value: Any) -> list[type]:
    """Return the classes to import for a plain value."""
    if isinstance(value, Path):
        return [PATH]
    if isinstance(value, enum.Enum):
        return [type(value)]
    if isinstance(value, (list, tuple)):
        return [cls for item in cast("list[Any]", value) for cls in plain_types(item)]
    if isinstance(value, dict):
        table = cast("dict[Any, Any]", value)
        return [cls for pair in table.items() for item in pair for cls in plain_types(item)]
    return []


PATH = type("Path", (), {"__module__": "pathlib"})
