"""The text of `resolvers.py` in the new project: what interpolations call, and a stub for each of the user's."""

from __future__ import annotations

KNOWN = {
    "select": '''
def select(run: Any, path: str, default: Any = None) -> Any:
    """Return the value at an address of the run; the default if there is none. Was ${oc.select:...}."""
    value = run
    for key in path.split("."):
        if isinstance(value, dict):
            value = value.get(key, MISSING)
        elif isinstance(value, list) and key.isdecimal():
            value = value[int(key)] if int(key) < len(value) else MISSING
        else:
            value = getattr(value, key, MISSING)
        if value is MISSING:
            return default
    return value
''',
    "above": '''
def above(run: Any, node: Any, levels: int) -> Any:
    """Return what holds a node, `levels` levels above it. Was the dots of ${..name}."""
    path = _path(run, node) or [node]
    return path[max(0, len(path) - 1 - levels)]


def _path(top: Any, node: Any) -> list[Any] | None:
    """Return the nodes that lead to a node, with itself; not those to which an interpolation gives it."""
    if top is node:
        return [top]
    inner = top if isinstance(top, dict) else getattr(top, "__dict__", {})
    for name, each in list(inner.items()):
        found = _path(each, node) if name not in getattr(top, "_derived", ()) else None
        if found is not None:
            return [top, *found]
    return None
''',
    "as_dict": '''
def as_dict(value: Any) -> Any:
    """Return a node as a plain dict; other values unchanged."""
    return dataclasses.asdict(value) if isinstance(value, CN) else value
''',
    "option_of": '''
def option_of(node: Any) -> str:
    """Return the name of the option that a node is. Was ${group} in a defaults list."""
    return type(node).__module__.rpartition(".")[2]
''',
    "decode": '''
def decode(text: str | None) -> Any:
    """Return the value that a text stands for: a number, a list, ... Was ${oc.decode:...}."""
    words = {"true": True, "false": False, "null": None}
    if text is None or text.lower() in words:
        return None if text is None else words[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
''',
    "now": '''
def now(pattern: str) -> str:
    """Return the time at which the run was composed. Was ${now:...}."""
    return datetime.datetime.now().strftime(pattern)
''',
    "hydra": '''
def hydra(name: str) -> str:
    """Return a word in place of a setting of Hydra, which has no counterpart here. Was ${hydra:...}.

    The folder of a run is `job.folder`, in `train(run, job)`.
    """
    return os.getcwd() if name == "runtime.cwd" else f"hydra:{name}"
''',
    "eval_": '''
def eval_(expression: str) -> Any:
    """Return what an expression gives. Was ${eval:...}."""
    return eval(expression)
''',
}
IMPORTS = {
    "as_dict": ["import dataclasses"],
    "decode": ["import ast"],
    "now": ["import datetime"],
    "hydra": ["import os"],
}
STUB = '''
def {name}(*arguments: Any) -> Any:
    """Write here what the resolver ${{{old}:...}} gave."""
    raise NotImplementedError("resolvers.py: {name}() is not written yet")
'''


def resolvers(functions: set[str], called: dict[str, str]) -> str:
    """Return the text of the file. functions: those that are called. called: what YAML calls those of the user."""
    imports = sorted({line for name in functions for line in IMPORTS.get(name, [])})
    rows = ['"""What interpolations of the YAML called."""', "", "from __future__ import annotations", ""]
    texts = [KNOWN.get(name) or STUB.format(name=name, old=called[name]) for name in sorted(functions)]
    parts = [text.strip("\n") for text in texts]
    of_cn = ["", "from cn import CN"] if "as_dict" in functions else []
    rows += [*imports, *(["from typing import Any"] if any("Any" in part for part in parts) else []), *of_cn]
    head = "\n".join(rows) + ("\n\nMISSING = object()" if "select" in functions else "")
    return "\n\n\n".join([head, *parts]) + "\n"


def stubs(functions: set[str]) -> list[str]:
    """Return the functions that the user must write."""
    return sorted(functions - set(KNOWN))
