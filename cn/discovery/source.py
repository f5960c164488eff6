"""Facts that only a node's source holds: the line of a field, and the comment beside the field."""

from __future__ import annotations

import ast
import functools
import linecache
import os
import sys
from typing import Any, NamedTuple


class Line(NamedTuple):
    """One field of a class body."""

    number: int
    comment: str
    default: ast.expr | None = None  # the expression after the equals sign


@functools.cache
def _classes(module: str) -> dict[str, tuple[int, dict[str, Line]]]:
    """Map the qualified name of each class of a module to its line and the lines of its fields."""
    path = getattr(sys.modules.get(module), "__file__", None)
    text = linecache.getlines(path) if path else []
    try:
        tree = ast.parse("".join(text))
    except SyntaxError:
        return {}
    found: dict[str, tuple[int, dict[str, Line]]] = {}

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for item in body:
            if isinstance(item, ast.ClassDef):
                fields: dict[str, Line] = {}
                for statement in item.body:
                    if isinstance(statement, (ast.AnnAssign, ast.Assign)):
                        target = statement.target if isinstance(statement, ast.AnnAssign) else statement.targets[0]
                        if isinstance(target, ast.Name):
                            fields[target.id] = Line(statement.lineno, _comment(text, statement), statement.value)
                    elif isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
                        fields[statement.name] = Line(statement.lineno, "")
                found[prefix + item.name] = (item.lineno, fields)
                visit(item.body, f"{prefix}{item.name}.")
            elif isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
                visit(item.body, f"{prefix}{item.name}.<locals>.")
            elif isinstance(item, (ast.If, ast.With, ast.Try)):
                for handler in getattr(item, "handlers", []):
                    visit(handler.body, prefix)
                for block in ("orelse", "finalbody", "body"):  # of two classes of one name, the first counts
                    visit(getattr(item, block, []), prefix)

    visit(tree.body, "")
    return found


def _written(cls: type) -> tuple[int, dict[str, Line]]:
    """Return the line of a class and the lines of its fields; 0 and none if the source is missing."""
    return _classes(cls.__module__).get(cls.__qualname__, (0, {}))


def _comment(text: list[str], statement: ast.stmt) -> str:
    """Return the comment after the statement; for a statement of several lines, also the one after its first line."""
    end = statement.end_lineno or statement.lineno
    _, mark, comment = text[end - 1].encode()[statement.end_col_offset :].decode().partition("#")
    if not mark and end > statement.lineno:
        code, _, comment = text[statement.lineno - 1].partition("#")
        return comment.strip() if code.rstrip().endswith(("(", "[", "{")) else ""
    return comment.strip()


def own_annotations(cls: type) -> dict[str, Any]:
    """Return the annotations of this class body alone, without evaluating strings."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF)
    return cls.__dict__.get("__annotations__", {})  # noqa: RUF063 (not those of a base class)


def file(module: str) -> str:
    """Return the file of a module relative to the repository's root: `models/vit.py`."""
    loaded = sys.modules.get(module)
    if loaded is None or not getattr(loaded, "__file__", None):
        return module
    if module == "__main__":
        return os.path.relpath(loaded.__file__ or module)
    return module.replace(".", "/") + ("/__init__.py" if hasattr(loaded, "__path__") else ".py")


def place(cls: type, field: str | None = None, key: str | None = None) -> str:
    """Return the place of a class, of a field, or of a key in the field's dict: `models/vit.py:12`.

    The line is left out if the source is missing.
    """
    line, fields = _written(cls)
    if field in fields:
        line = fields[field].number
        table = fields[field].default
        for each in table.keys if isinstance(table, ast.Dict) else ():
            if isinstance(each, ast.Constant) and each.value == key and key is not None:
                line = each.lineno
    return f"{file(cls.__module__)}:{line}" if line else file(cls.__module__)


def comment(cls: type, field: str) -> str:
    """Return the comment beside a field, from its class or the nearest base class that has one; "" if none has."""
    own = (_written(base)[1].get(field) for base in cls.__mro__)
    return next((line.comment for line in own if line is not None and line.comment), "")


def default(cls: type, field: str) -> ast.expr | None:
    """Return the default of a field as the class body writes it, or None."""
    line = _written(cls)[1].get(field)
    return None if line is None else line.default


def where(cls: type, field: str | None = None) -> str:
    """Return where a class or an inherited field is written: `defined in models/vit.py:12`."""
    owner = next((base for base in cls.__mro__ if field in own_annotations(base)), cls) if field else cls
    return f"defined in {place(owner, field)}"
