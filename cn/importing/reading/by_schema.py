"""A process that reads the ConfigStore: `python -m cn.importing.reading.by_schema MODULE ...`.

It imports the modules, and prints the options that they store as JSON: group, name, package, YAML, and the type of each
field by its address.
"""

from __future__ import annotations

import enum
import importlib
import json
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

PLAIN = {bool: "bool", int: "int", float: "float", str: "str", Path: "str"}


def main() -> None:
    """Print the options."""
    answers = sys.stdout
    sys.stdout = sys.stderr
    sys.path.insert(0, ".")
    from hydra.core.config_store import ConfigStore

    repo: Any = ConfigStore.instance().repo
    known = {(group, name) for group, name, _ in _stored(repo, ())}
    for module in sys.argv[1:]:
        importlib.import_module(module)
    found = [_option(each) for group, name, each in _stored(repo, ()) if (group, name) not in known]
    answers.write(json.dumps(found))


def _stored(repo: dict[str, Any], at: tuple[str, ...]) -> Iterator[tuple[str, str, Any]]:
    for key, value in repo.items():
        if isinstance(value, dict):
            yield from _stored(cast("dict[str, Any]", value), (*at, key))
        elif not str(getattr(value, "provider", "")).startswith("hydra"):
            yield "/".join(at), key.removesuffix(".yaml"), value


def _option(stored: Any) -> dict[str, Any]:
    from omegaconf import OmegaConf

    config: Any = OmegaConf
    kind: Any = config.get_type(stored.node)
    return {
        "group": stored.group or "",
        "name": str(stored.name).removesuffix(".yaml"),
        "package": stored.package,
        # Python 3.13 writes paths by a name of its own, which OmegaConf does not read
        "yaml": config.to_yaml(stored.node).replace("apply:pathlib._local.", "apply:pathlib."),
        "types": dict(_types(kind, ())) if isinstance(kind, type) and kind is not dict else {},
    }


def _types(kind: Any, at: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the annotation of each field of a dataclass, also of those in it."""
    if not hasattr(kind, "__dataclass_fields__"):
        return
    hints = typing.get_type_hints(kind)
    for name in kind.__dataclass_fields__:
        inner = _without_none(hints[name])
        if hasattr(inner, "__dataclass_fields__"):
            yield from _types(inner, (*at, name))
        else:
            yield ".".join((*at, name)), _annotation(hints[name])


def _without_none(kind: Any) -> Any:
    parts = [each for each in typing.get_args(kind) if each is not type(None)]
    return parts[0] if typing.get_origin(kind) in (typing.Union, types.UnionType) and len(parts) == 1 else kind


def _annotation(kind: Any) -> str:
    """Return an annotation that a node may have; `Any` for one that it may not."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in PLAIN:
        return PLAIN[kind]
    if kind is type(None):
        return "None"
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return f"Literal[{', '.join(json.dumps(name) for name in kind.__members__)}]"
    if origin in (typing.Union, types.UnionType):
        parts = [_annotation(each) for each in arguments]
        return "Any" if "Any" in parts else " | ".join(parts)
    if origin is list and arguments:
        return f"list[{_annotation(arguments[0])}]"
    if origin is dict and len(arguments) == 2:
        return f"dict[{_annotation(arguments[0])}, {_annotation(arguments[1])}]"
    return "Any"


if __name__ == "__main__":
    main()
