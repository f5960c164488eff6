"""Interpolations as Python: `${a.b}` is `run.a.b`, a text with some in it an f-string, a resolver a call."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, cast

from cn.importing.families.addresses import Addresses
from cn.importing.families.families import Field
from cn.importing.families.interpolations import OPTION_OF, Call, Reference, Text, address_of, parsed
from cn.importing.families.types import has_interpolation
from cn.importing.writing.function_names import function_name
from cn.writing.subclass import quoted


class Writer:
    """Writes parsed texts as Python.

    field: the one whose value is written; a relative reference starts from what holds it.
    """

    def __init__(self, addresses: Addresses, field: Field) -> None:
        self.addresses, self.field = addresses, field
        self.node = False  # the function needs the node itself
        self.home: list[str] | None = None  # the address of the field, if it stands in one place only
        self.inside: list[Any] = []  # the keys and places of the lists and dicts around the text
        self.gives_node = False  # the value is a node, so an empty dict stands for none
        self.functions: set[str] = set()  # of resolvers.py that are called
        self.resolvers: dict[str, str] = {}  # what YAML calls those in place of resolvers
        self.classes: set[str] = set()  # names that no function may have
        self.modules: set[str] = set()  # to import

    def value(self, value: Any) -> str:
        """Return Python for a value with interpolations in it, at any depth."""
        if isinstance(value, Text):
            return self.text(value)
        if isinstance(value, str):
            return (
                self.text(parsed(value))
                if has_interpolation(value)
                else quoted("".join(str(part) for part in parsed(value).parts))
            )
        if isinstance(value, (list, dict)):
            parts = [*self._parts(cast("list[Any] | dict[Any, Any]", value))]
            return f"[{', '.join(parts)}]" if isinstance(value, list) else "{" + ", ".join(parts) + "}"
        if isinstance(value, float):
            return literal_float(value)
        return repr(value)

    def _parts(self, value: list[Any] | dict[Any, Any]) -> Iterator[str]:
        for key, item in enumerate(value) if isinstance(value, list) else value.items():
            before = "" if isinstance(value, list) else f"{self.value(key)}: "
            self.inside.append(key)
            yield f"{before}{self.value(item)}"
            self.inside.pop()

    def text(self, text: Text) -> str:
        if text.only is not None:
            return self.part(text.only)
        if all(isinstance(part, str) for part in text.parts):
            return quoted("".join(cast("list[str]", text.parts)))
        made = ""
        pieces: list[str] = []
        fits = True
        for part in text.parts:
            if isinstance(part, str):
                pieces.append(quoted(part))
                fits = fits and '"' not in part
                made += quoted(part)[1:-1].replace("{", "{{").replace("}", "}}")
            else:
                inner = self.part(part)
                pieces.append(inner)
                fits = fits and "\\" not in inner and not ("'" in inner and '"' in inner)
                made += "{" + inner.replace('"', "'") + "}"
        return f'f"{made}"' if fits else f'"".join(map(str, [{", ".join(pieces)}]))'

    def part(self, part: Reference | Call) -> str:
        if isinstance(part, Call):
            return self.call(part)
        if any(each.only is not None or len(each.parts) != 1 for each in part.keys):
            path = self.text(Text([piece for each in part.keys for piece in (".", *each.parts)][1:]))
            return self.function("select", ["run", path])
        keys = [str(each.parts[0]) for each in part.keys]
        if part.dots and self.home is None:
            return self._relative(part.dots, keys)
        if self.home is not None and part.dots:
            keys = [*self.home, *map(str, self.inside)][: -part.dots] + keys
        return self._plain(self.addresses.of_run(keys), is_node=self.addresses.is_node(keys))

    def _plain(self, found: str, *, is_node: bool) -> str:
        """Return what a reference gives; a list and a dict hold a node as a plain dict."""
        return self.function("as_dict", [found]) if self.inside and is_node else found

    def _relative(self, dots: int, keys: list[str]) -> str:
        """Return Python for an address that starts from the node that holds the field, or above it."""
        self.node = True
        levels = dots - len(self.inside) - 1  # a list and a dict are levels too
        if levels < 0:
            path = [
                *self.inside[: len(self.inside) - dots],
                *(int(key) if key.isdecimal() else key for key in keys),
            ]
            items = "".join(f"[{key if isinstance(key, int) else quoted(key)}]" for key in path)
            return f"node.{self.field.name}{items}"
        families = self.addresses.families
        found = self.addresses.below(self._above(levels), families.around(self.field, levels), keys)
        is_node = any(map(self.addresses.gives_node, families.relative(self.field, levels, keys)))
        return self._plain(found, is_node=is_node)

    def _above(self, levels: int) -> str:
        return "node" if not levels else self.function("above", ["run", "node", str(levels)])

    def function(self, name: str, arguments: list[str]) -> str:
        """Return a call of a function of resolvers.py."""
        self.functions.add(name)
        return f"{name}({', '.join(arguments)})"

    def call(self, call: Call) -> str:
        if call.name == "oc.env" and call.arguments:
            self.modules.add("os")
            key = self.value(call.arguments[0])
            if len(call.arguments) == 1:
                return f"os.environ[{key}]"
            default = call.arguments[1]
            plain = isinstance(default, Text) or default is None
            return f"os.environ.get({key}, {self.value(default) if plain else quoted(str(default))})"
        if call.name == "oc.select" and call.arguments and isinstance(call.arguments[0], Text):
            return self._select(call.arguments[0], call.arguments[1:])
        if call.name == "oc.decode" and call.arguments:
            return self.function("decode", [self.value(call.arguments[0])])
        if call.name == "eval" and len(call.arguments) == 1 and isinstance(call.arguments[0], Text):
            try:
                return self._evaluated(call.arguments[0])
            except (SyntaxError, ValueError):
                return self.function("eval_", [self.value(call.arguments[0])])
        if call.name == OPTION_OF:
            return self.function("option_of", [self.value(call.arguments[0])])
        name = function_name(call.name, self.classes)
        self.resolvers[name] = call.name
        return self.function(name, [self.value(each) for each in call.arguments])

    def _select(self, path: Text, default: list[Any]) -> str:
        if self.gives_node and default and default[0] == {}:
            default = []
        start, where = "run", self.text(path)
        if isinstance(address := address_of(path), Reference):
            start, keys = self._start(address.dots, [str(each.parts[0]) for each in address.keys])
            where = quoted(".".join(keys))
        return self.function("select", [start, where, *map(self.value, default[:1])])

    def _start(self, dots: int, keys: list[str]) -> tuple[str, list[str]]:
        """Return Python for what an address starts from, and the names of the address in Python."""
        families = self.addresses.families
        if self.home is not None or not dots:
            home = [*self.home, *map(str, self.inside)][:-dots] if self.home is not None and dots else []
            return "run", self.addresses.names([families.run], [*home, *keys])
        self.node = True
        levels = dots - len(self.inside) - 1
        if levels < 0:
            return f"node.{self.field.name}", [*map(str, self.inside[:-dots]), *keys]
        return self._above(levels), self.addresses.names(families.around(self.field, levels), keys)

    def _evaluated(self, text: Text) -> str:
        """Return the expression in a text, with each interpolation in its place."""
        names: dict[str, str] = {}
        source = ""
        for part in text.parts:
            if isinstance(part, str):
                source += part
            else:
                name = f"x{len(names)}__"
                names[name] = self.part(part)
                source += name
        tree = _Fill(names).visit(ast.parse(source.strip(), mode="eval"))
        free = {each.id for each in ast.walk(tree) if isinstance(each, ast.Name)} - {"run", "node"}
        import builtins

        if any(not hasattr(builtins, name) and name not in ("os", *self.functions) for name in free):
            raise ValueError("it names what is not there")
        return requoted(ast.unparse(tree))


class _Fill(ast.NodeTransformer):
    """Puts the Python of each interpolation where its name stands, also within texts."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.parse(self.names[node.id], mode="eval").body if node.id in self.names else node

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if not isinstance(node.value, str) or not any(name in node.value for name in self.names):
            return node
        if node.value in self.names:
            return ast.parse(f"str({self.names[node.value]})", mode="eval").body
        values: list[ast.expr] = []
        for piece in re.split(f"({'|'.join(self.names)})", node.value):
            if piece in self.names:
                inner = ast.parse(self.names[piece], mode="eval").body
                values.append(ast.FormattedValue(inner, -1))
            elif piece:
                values.append(ast.Constant(piece))
        return ast.JoinedStr(values)


def requoted(source: str) -> str:
    """Return an expression with double quotes around its texts, where ruff would have them."""
    return re.sub(r"""'([^'"\\\n{}]*)'(?=([^"]*"[^"]*")*[^"]*$)""", r'"\1"', source)


def literal_float(value: float) -> str:
    """Return a float as Python and ruff write it."""
    if value != value or value in (float("inf"), float("-inf")):
        return f'float("{value}")'
    return repr(value).replace("e+", "e")
