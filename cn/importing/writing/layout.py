"""Lay out expressions and statements as `ruff format` does, with 120 columns."""

from __future__ import annotations

import ast
import re
from typing import Any, NamedTuple, cast

from cn.importing.writing.expressions import literal_float
from cn.writing.imports import WIDTH
from cn.writing.subclass import quoted

COMMENTED_OUT = re.compile(r"-?\s*[\w.]+:(\s|$)")  # a line of YAML that is commented out


class Lambda(NamedTuple):
    """A function in an expression; what it gives is put in parentheses if it does not fit on the line."""

    head: str
    body: str


class Commented(NamedTuple):
    """A part of an expression with comments: lines above it, and one beside it."""

    of: Expression
    above: list[str]
    beside: str


Expression = (
    str | Lambda | Commented | tuple[str, "list[tuple[str, Expression]]", str]
)  # opening, parts with their prefixes, closing


def literal(value: Any) -> Expression:
    """Return a plain value as an expression."""
    if isinstance(value, dict):
        table = cast("dict[Any, Any]", value)
        return "{", [(f"{literal(key)}: ", literal(each)) for key, each in table.items()], "}"
    if isinstance(value, list):
        return "[", [("", literal(each)) for each in cast("list[Any]", value)], "]"
    if isinstance(value, str):
        return quoted(value)
    return literal_float(value) if isinstance(value, float) else repr(value)


def laid_out(expression: Expression, depth: int, before: int, after: int = 0) -> str:
    """Return an expression on one line if it fits after `before` columns, else with one part per line."""
    if isinstance(expression, Lambda):
        return _lambda(expression, depth, before)
    if isinstance(expression, str):
        return expression
    if isinstance(expression, Commented):
        return laid_out(expression.of, depth, before, after)
    opening, parts, closing = expression
    line = one_line(expression)
    if not parts or (before + len(line) + after <= WIDTH and not _is_commented(expression)):
        return line
    rows = [row for prefix, part in parts for row in part_rows(prefix, part, depth + 1)]
    return "\n".join([opening, *rows, "    " * depth + closing])


def part_rows(prefix: str, part: Expression, depth: int) -> list[str]:
    """Return the lines of a part, with its comments."""
    indent = "    " * depth
    text = f"{indent}{prefix}{laid_out(part, depth, len(indent) + len(prefix), 1)},"
    above, beside = (list(part.above), part.beside) if isinstance(part, Commented) else ([], "")
    if beside and ("\n" in text or len(text) + 4 + len(beside) > WIDTH):
        above, beside = [*above, beside], ""
    return _with_comments(text, indent, above, beside)


def _with_comments(text: str, indent: str, above: list[str], beside: str) -> list[str]:
    rows = [f"{indent}# {line}".rstrip() for comment in above for line in wrapped(comment, WIDTH - len(indent) - 2)]
    return [*rows, text + (f"  # {beside}" if beside else "")]


def _is_commented(expression: Expression) -> bool:
    if isinstance(expression, Commented):
        return bool(expression.above or expression.beside) or _is_commented(expression.of)
    return (
        isinstance(expression, tuple) and len(expression) == 3 and any(_is_commented(each) for _, each in expression[1])
    )


def one_line(expression: Expression) -> str:
    """Return an expression on one line."""
    if isinstance(expression, Lambda):
        return expression.head + expression.body
    if isinstance(expression, Commented):
        return one_line(expression.of)
    if isinstance(expression, str):
        return expression
    opening, parts, closing = expression
    return opening + ", ".join(prefix + one_line(part) for prefix, part in parts) + closing


def _lambda(function: Lambda, depth: int, before: int) -> str:
    line = function.head + function.body
    body = ast.parse(function.body, mode="eval").body
    if before + len(line) + 1 <= WIDTH:
        return line
    if isinstance(body, ast.Call) and body.args and not body.keywords:
        return _call(function, body, depth)
    if isinstance(body, ast.Subscript):
        return _subscript(function, depth, before)
    if not isinstance(body, (ast.IfExp, ast.BoolOp, ast.BinOp, ast.Compare, ast.JoinedStr)):
        return line
    indent = "    " * (depth + 1)
    rows = [function.body]
    if len(indent) + len(function.body) > WIDTH and isinstance(body, ast.IfExp):
        parts = [ast.get_source_segment(function.body, each) or "" for each in (body.body, body.test, body.orelse)]
        rows = [parts[0], f"if {parts[1]}", f"else {parts[2]}"]
    return f"{function.head}(\n" + "".join(f"{indent}{row}\n" for row in rows) + "    " * depth + ")"


def _subscript(function: Lambda, depth: int, before: int) -> str:
    """Return a function that reads an item: the last key before which the line has room is on a line of its own."""
    line = function.head + function.body
    keys = [each for each in re.finditer(r"\[([^\[\]]+)\]", line) if before + each.start() + 1 <= WIDTH]
    if not keys:
        return line
    start, end, indent = keys[-1].start() + 1, keys[-1].end() - 1, "    " * depth
    return f"{line[:start]}\n{indent}    {line[start:end]}\n{indent}{line[end:]}"


def _call(function: Lambda, body: ast.Call, depth: int) -> str:
    """Return a function that calls another: the arguments on a line of their own, or each on one."""
    called = ast.get_source_segment(function.body, body.func)
    parts = [ast.get_source_segment(function.body, each) or "" for each in body.args]
    indent = "    " * (depth + 1)
    line = ", ".join(parts)
    rows = [line] if len(indent) + len(line) <= WIDTH else [f"{each}," for each in parts]
    return f"{function.head}{called}(\n" + "".join(f"{indent}{row}\n" for row in rows) + "    " * depth + ")"


def statement(
    name: str,
    annotation: str,
    value: Expression | None,
    comments: list[str],
    beside: str,
    pragma: str,
    *,
    heading: bool = False,
) -> list[str]:
    """Return the lines of a field: its comments above it, and one beside it if that fits.

    pragma: a comment for a tool. heading: the comment above is about the fields below too, so it stays there.
    """
    head = f"    {name}: {annotation}"
    if len(head) + (4 if value is not None else 0) > WIDTH:
        head = f"    {name}: {_annotation(annotation)}"
    before = len(head.rpartition("\n")[2]) + 3
    text = head if value is None else f"{head} = {laid_out(value, 1, before)}"
    atom = one_line(value) if isinstance(value, str) or (isinstance(value, tuple) and not value[1]) else ""
    if atom and max(map(len, text.split("\n"))) > WIDTH and (len(atom) + 8 <= WIDTH or re.search(r"[\[|]", annotation)):
        text = f"{head} = (\n        {atom}\n    )"
    last = text.rpartition("\n")[2]
    above = list(comments)
    if (
        not beside
        and not heading
        and len(above) == 1
        and not COMMENTED_OUT.match(above[0])
        and "\n" not in text
        and len(last) + 4 + len(above[0]) <= WIDTH
    ):
        beside = above.pop()
    if beside and ("\n" in text or len(last) + 4 + len(beside) > WIDTH):
        above.append(beside)
        beside = ""
    if pragma:
        above += [beside] if beside else []
        first, found, rest = text.partition("\n")
        text, beside = (f"{first}  # {pragma}\n{rest}", "") if found else (text, pragma)
    return _with_comments(text, "    ", above, beside)


def _annotation(text: str) -> str:
    """Return the annotation of a field on several lines: the union or what is in brackets on lines of its own."""
    union = text.split(" | ")
    opening, inner, closing = "(", text, ")"
    if len(union) == 1 or any(each.count("[") != each.count("]") for each in union):
        opening, _, inner = text.removesuffix("]").partition("[")
        opening, closing = f"{opening}[", "]"
    elif len(inner) + 8 > WIDTH:
        inner = "\n        | ".join(union)
    return f"{opening}\n        {inner}\n    {closing}" if inner else text


def wrapped(text: str, width: int) -> list[str]:
    """Return a text on lines of at most a width; a longer word keeps its line."""
    import textwrap

    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


def docstring(rows: list[str], indent: str = "    ") -> list[str]:
    """Return the lines of a docstring."""
    clean = [row.replace("\\", "\\\\").replace('"""', "'''").rstrip() for row in rows]
    wide = [each for row in clean for each in wrapped(row, WIDTH - len(indent) - 6)]
    while wide and not wide[-1]:
        wide.pop()
    if wide and wide[-1].endswith('"'):
        wide[-1] += "."
    if len(wide) == 1:
        return [f'{indent}"""{wide[0]}"""']
    return [f'{indent}"""{wide[0]}', *(f"{indent}{each}".rstrip() for each in wide[1:]), f'{indent}"""']
