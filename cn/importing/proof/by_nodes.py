"""A process that composes runs of the new project: `python -m cn.importing.proof.by_nodes`, its task as JSON on stdin.

Each value is worked out by itself, so that one that cannot be does not hide the others: a required value that is not
given is `???`, what depends on one `<missing>`, and what fails `<error:...>`.
"""
# pyright: reportPrivateUsage=false

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import os
import sys
import time
import warnings
from typing import Any, cast

from cn.composing.compose import assemble
from cn.composing.deriving import derive_absent
from cn.errors import CNError, MissingValueError, UnfinishedError
from cn.importing.proof.by_hydra import plain
from cn.nodes.field_types import Child, Kind
from cn.nodes.node import CN
from cn.nodes.resolving import resolve

REAL = ("above", "select")  # functions of resolvers.py that are no stubs


def main() -> None:
    """Compose each case of the task, and print a line of JSON for each."""
    task: dict[str, Any] = json.load(sys.stdin)
    answers = sys.stdout
    sys.stdout = sys.stderr
    warnings.simplefilter("ignore")
    os.chdir(task["project"])
    sys.path.insert(0, task["project"])
    _stub(task.get("stubs", {}))
    if task.get("environment") == "stubs":
        os.environ = cast("Any", Environment())  # noqa: B003 (this process alone)
    run: Any = importlib.import_module("runs").Run
    for words in cast("list[list[str]]", task["cases"]):
        start = time.perf_counter()
        try:
            answer: dict[str, Any] = {"ok": True, "plain": composed(run, words)}
        except CNError as error:
            answer = {"ok": False, "error": str(error)}
        except Exception as error:
            answer = {"ok": False, "error": f"{type(error).__name__}: {error}"}
        answer["seconds"] = time.perf_counter() - start
        answers.write(json.dumps(answer, default=str) + "\n")
        answers.flush()


class Environment(dict[str, str]):
    """As if no variable were set; each has its name as its value."""

    def __missing__(self, key: str) -> str:
        return f"<env:{key}>"

    def get(self, key: str, default: Any = None) -> Any:
        return default


def _stub(names: dict[str, str]) -> None:
    """Replace the functions that the user must still write: each gives its name and its arguments as a text."""
    with contextlib.suppress(ModuleNotFoundError):
        module = importlib.import_module("resolvers")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == "resolvers" and name not in REAL and name in names:
                setattr(module, name, _stubbed(names[name]))


def _stubbed(name: str) -> Any:
    def stubbed(*arguments: Any) -> str:
        return f"<{name}:{','.join(map(_text, arguments))}>"

    return stubbed


def _text(value: Any) -> str:
    """Return an argument as the stubs of Hydra's side write it: a node or a container as JSON."""
    held = isinstance(value, (CN, dict, list))
    return json.dumps(value, default=_fields, sort_keys=True) if held else str(value)


def _fields(value: Any) -> Any:
    return {name: getattr(value, name, "???") for name in type(value)._fields} if isinstance(value, CN) else str(value)


def composed(contract: Any, words: list[str]) -> dict[str, Any]:
    """Return a run as plain values."""
    root = cast("CN", assemble(contract, words))
    return _plain(root, derive_absent(root, CNError))


def _plain(node: CN, failed: dict[tuple[int, str], CNError]) -> dict[str, Any]:
    kinds = cast("dict[str, Kind]", resolve(type(node)))
    return {name: _field(node, name, kinds[name], failed) for name in type(node)._fields}


def _field(node: CN, name: str, kind: Kind, failed: dict[tuple[int, str], CNError]) -> Any:
    error = failed.get((id(node), name))
    if isinstance(error, (UnfinishedError, MissingValueError)):
        return "<missing>"
    if error is not None:
        return f"<error:{type(error).__name__}: {str(error).splitlines()[0]}>"
    if name not in vars(node):
        return "???"
    value: Any = vars(node)[name]
    if isinstance(value, CN):
        return _plain(value, failed)
    if isinstance(value, dict) and isinstance(kind, Child):
        return {key: _plain(each, failed) for key, each in cast("dict[str, CN]", value).items()}
    if isinstance(value, dict) and any(type(key) is int for key in cast("dict[Any, Any]", value)):
        return plain(value)  # JSON has no keys that are numbers
    return kind.plain(value)


if __name__ == "__main__":
    main()
