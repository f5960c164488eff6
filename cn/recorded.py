"""The class that a record names. A record may come from anyone, so it has no module imported but those of nodes.

A module is one of nodes if it lies in a folder whose `__init__.py`, which is read and not run, imports `cn`; for what
a field holds, also in the folders of the field's own types. A file that lies in no folder is one if it imports `cn`.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, cast

from cn.errors import CNError, UserError, lines, short
from cn.node import CN, CNMeta
from cn.registry import home

NAME = re.compile(r"[\w-]+(\.[\w-]+)*")


def recorded(name: str, place: str, types: tuple[type, ...] = ()) -> type[CN]:
    """The node class `module:Class`. `types`: those of the field that holds it; `place` is named in errors."""
    module, _, qualname = name.partition(":")
    what = f"{place} needs the class {short(name)!r}"
    try:
        found: Any = _loaded(module, types, what)
        for part in qualname.split("."):
            found = _inside(found, part)
    except CNError:
        raise
    except (ImportError, AttributeError, ValueError) as error:
        why = f"{type(error).__name__}: {error}"
        instead = "it was renamed or moved: put a class of that name there, or edit the record"
        raise UserError(lines(f"{what}, which cannot be found", why, instead)) from None
    if not isinstance(found, CNMeta) or found is CN:
        raise UserError(f"{what}, which is not a node")
    return cast("type[CN]", found)


def _loaded(module: str, types: tuple[type, ...], what: str) -> ModuleType:
    """The module, imported if it is one of nodes."""
    if module in sys.modules:
        return sys.modules[module]
    if _of_nodes(module) or any(module.startswith(f"{home(kind)}.") for kind in types):
        return importlib.import_module(module)
    why = "a record has only such modules imported as lie in a folder of nodes, whose __init__.py imports cn"
    raise UserError(lines(f"{what}, and {short(module)!r} is none of nodes", why, "edit the record"))


def _inside(holder: Any, part: str) -> Any:
    """An attribute that is there; only a module of nodes may make one when it is asked."""
    if isinstance(holder, ModuleType) and part not in vars(holder) and not _of_nodes(holder.__name__):
        raise AttributeError(f"module {holder.__name__!r} has no attribute {part!r}")
    return getattr(holder, part)


def _of_nodes(module: str) -> bool:
    """Whether a module is one of nodes; nothing is imported to find out. ImportError where there is none."""
    if not NAME.fullmatch(module):
        raise ImportError(f"{short(module)!r} is no module's name")
    parts = module.split(".")
    spec: ModuleSpec | None = None
    for depth in range(1, max(2, len(parts))):
        name = ".".join(parts[:depth])
        if name == "__main__":
            return False
        if depth == 1:
            spec = importlib.util.find_spec(name)
        else:
            spec = PathFinder.find_spec(name, spec.submodule_search_locations) if spec is not None else None
        if spec is None:
            raise ModuleNotFoundError(f"No module named {name!r}")
        if name != "cn" and _imports_cn(spec):
            return True
    return False


def _imports_cn(spec: ModuleSpec) -> bool:
    """Whether the source of a module says so; that of a namespace or of a compiled module says nothing."""
    source = cast("Any", getattr(spec.loader, "get_source", None))
    if source is None:
        return False
    try:
        tree = ast.parse(source(spec.name) or "")
    except (SyntaxError, ImportError, OSError, ValueError):
        return False
    for node in tree.body:
        names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        if any(name.partition(".")[0] == "cn" for name in names):
            return True
    return False
