"""Import the class that a record names. A record may be untrusted, so only modules with nodes may be imported.

A module may contain nodes if it lies in a folder whose `__init__.py` imports `cn`, or derives a class from one of a
module that does; the files are parsed, not executed.
For the value of a field, the folders of the field's types count too. A file outside of a folder must import `cn`.
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

from cn.discovery import discover
from cn.discovery.registry import homes
from cn.errors import CNError, UserError, short
from cn.nodes.former import former_classes
from cn.nodes.node import CN, CNMeta

NAME = re.compile(r"[\w-]+(\.[\w-]+)*")


def recorded(name: str, place: str, types: tuple[type, ...] = ()) -> type[CN]:
    """Return the node class `module:Class`. `types`: the types of its field; `place`: the record's name in errors.

    If there is none of that name, the class that has the name in its `_was_` is returned.
    """
    module, _, qualname = name.partition(":")
    what = f"{place} needs the class {short(name)!r}"
    try:
        found: Any = _loaded(module, types, what)
        for part in qualname.split("."):
            found = _inside(found, part)
    except CNError:
        raise
    except (ImportError, AttributeError, ValueError) as error:
        if (now := _renamed(name, types)) is not None:
            return now
        why = f"{type(error).__name__}: {error}"
        instead = f'if it was renamed or moved, write in the class: _was_ = ("{name.replace(":", ".")}",)'
        raise UserError(f"{what}, which cannot be found", why, instead) from None
    if not isinstance(found, CNMeta) or found is CN:
        raise UserError(f"{what}, which is not a node")
    return cast("type[CN]", found)


def contract_of(name: str) -> type[CN] | None:
    """The contract in the folder of a class `module:Class` that may be there no more; None where there is none."""
    package = name.partition(":")[0]
    while package := package.rpartition(".")[0]:
        try:
            held = vars(importlib.import_module(package)).values() if of_nodes(package) else ()
        except Exception:  # it does not exist, or what it says fails
            continue
        for each in held:
            if isinstance(each, CNMeta) and each.__module__ == package:
                return cast("type[CN]", each)
    return None


def _renamed(name: str, types: tuple[type, ...]) -> type[CN] | None:
    """Return the class that had this name: an imported class of these types, or an option of them.

    types: of the field; none for a whole record: then those of the contract in the folder of the name.
    """
    if not types and (contract := contract_of(name)) is not None:
        types = (contract,)
    for each in discover.imported(types):
        if name in former_classes(each):
            return cast("type[CN]", each)
    for each in discover.options(types)[0].values() if types else ():
        if name in former_classes(each):
            return cast("type[CN]", each)
    return None


def _loaded(module: str, types: tuple[type, ...], what: str) -> ModuleType:
    """Return the module, imported if it may contain nodes; UserError otherwise."""
    if module in sys.modules:
        return sys.modules[module]
    if of_nodes(module) or any(module.startswith(f"{each}.") for kind in types for each in homes(kind)):
        try:
            return importlib.import_module(module)
        except (CNError, ImportError, AttributeError, ValueError):
            raise
        except Exception:
            return discover.load(module)  # its error names the file and the line
    why = "a record may import only modules in a folder of nodes, whose __init__.py imports cn"
    raise UserError(f"{what}, and {short(module)!r} is not a module of nodes", why, "edit the record")


def _inside(holder: Any, part: str) -> Any:
    """Return an existing attribute; only a module with nodes may create one through `__getattr__`."""
    if isinstance(holder, ModuleType) and part not in vars(holder) and not of_nodes(holder.__name__):
        raise AttributeError(f"module {holder.__name__!r} has no attribute {part!r}")
    return getattr(holder, part)


def of_nodes(module: str) -> bool:
    """Return whether a module may contain nodes, without importing it. ImportError if it does not exist."""
    if not NAME.fullmatch(module):
        raise ImportError(f"{short(module)!r} is no module's name")
    parts = module.split(".")
    for depth in range(1, max(2, len(parts))):
        name = ".".join(parts[:depth])
        if name == "__main__":
            return False
        if (spec := _spec(name)) is None:
            raise ModuleNotFoundError(f"No module named {name!r}")
        if name != "cn" and _holds_nodes(spec):
            return True
    return False


def _spec(module: str) -> ModuleSpec | None:
    """Return the spec of a module; no package above it is imported."""
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    for part in rest:
        if spec is None:
            return None
        spec = PathFinder.find_spec(f"{spec.name}.{part}", spec.submodule_search_locations or [])
    return spec


def _holds_nodes(spec: ModuleSpec, name: str | None = None, seen: frozenset[str] = frozenset()) -> bool:
    """Return whether the source of a module imports cn, or derives a class from a class of another such module.

    name: only this name of the module counts, also if the module imports it.
    False for a namespace package or a compiled module.
    """
    source = cast("Any", getattr(spec.loader, "get_source", None))
    if source is None or spec.name in seen:
        return False
    try:
        tree = ast.parse(source(spec.name) or "")
    except (SyntaxError, ImportError, OSError, ValueError):
        return False
    places: dict[str, tuple[str, str]] = {}  # imported name -> its module, and its name there; "" for the module itself
    for node in tree.body:
        if isinstance(node, ast.Import):
            places |= {each.asname or each.name.partition(".")[0]: (each.name, "") for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = spec.name if spec.submodule_search_locations is not None else spec.name.rpartition(".")[0]
            at = importlib.util.resolve_name("." * node.level + (node.module or ""), above)
            places |= {each.asname or each.name: (at, each.name) for each in node.names}
    if any(at.partition(".")[0] == "cn" for at, _ in places.values()):
        return True
    classes = [each for each in tree.body if isinstance(each, ast.ClassDef) and name in (None, each.name)]
    for base in [*(ast.unparse(base) for each in classes for base in each.bases), *([name] if name else [])]:
        root, *inner = base.split(".")
        at, own = places.get(root, ("", ""))
        if inner:  # an attribute of a module
            at, own = f"{at}.{own}".rstrip("."), inner[-1]
        found = _spec(at) if at else None
        if found is not None and _holds_nodes(found, own, seen | {spec.name}):
            return True
    return False
